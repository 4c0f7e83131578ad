"""Training data: what of the log counts, split, written, and traced back to its events."""
