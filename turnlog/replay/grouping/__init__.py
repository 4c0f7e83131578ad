"""Differences of one cause: the key they share."""
