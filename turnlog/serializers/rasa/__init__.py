"""Rasa's files: trackers, dumps, stores and training data, by one table of events."""
