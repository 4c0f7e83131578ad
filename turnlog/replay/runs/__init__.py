"""Stored runs: written, read, compared, and their accepted groups."""
