"""Read models: folds of the log that remember how far they have come, and can be rebuilt."""
