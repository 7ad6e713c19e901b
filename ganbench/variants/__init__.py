"""Ways to train a generative model: one file each, which knows its networks, losses and update and nothing else."""
