"""Runs that are kept: written, read, compared, and the groups that are accepted."""
