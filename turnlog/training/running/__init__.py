"""A run of an export: examples, processes, files, and resuming."""
