"""From images to a result: plan what is needed, extract once, score."""
