"""The Schema-Guided Dialogue data set."""
