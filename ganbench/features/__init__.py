"""From images to features, and what is kept of them."""
