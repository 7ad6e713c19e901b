"""What is timed: each a process of its own, which ends by printing JSON."""
