"""The harness: data, budget, clock, checkpoints and evaluation around a variant that knows none of them."""
