"""The lines of the results: one file each."""
