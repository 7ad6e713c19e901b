"""How fast ganbench is beside what else one could use: `python -m benchmarks`, on the same inputs in one run."""
