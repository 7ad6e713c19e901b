"""The kinds of places that images are read from, one file for each."""
