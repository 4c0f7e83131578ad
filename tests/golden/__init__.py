"""Logs of every format there has been, and what they say."""
