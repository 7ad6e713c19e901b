"""What makes vectors of captions, one file for each."""
