"""Logs of every past format, and their content."""
