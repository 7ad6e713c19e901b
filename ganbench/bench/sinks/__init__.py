"""Where a training can be watched beside its own folder: one file for each service."""
