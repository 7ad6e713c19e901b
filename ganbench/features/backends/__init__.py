"""The ways to run a network: one file each."""
