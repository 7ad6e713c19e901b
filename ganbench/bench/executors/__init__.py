"""Where the runs of a sweep go: each is a process of its own, here or on a cluster."""
