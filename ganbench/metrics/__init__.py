"""The metrics: one file each, found by its name (`_registry.py`)."""
