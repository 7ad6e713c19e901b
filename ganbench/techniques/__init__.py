"""Training techniques: one file each, for any variant that they suit, named behind it: `ns-gan+feature-matching`."""
