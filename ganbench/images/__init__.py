"""From folders, archives, arrays and datasets to a stream of uint8 RGB images."""
