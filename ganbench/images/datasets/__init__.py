"""The datasets known by name, one file for each."""
