"""Rasa's tracker for library users, on turnlog's own fold and log."""
