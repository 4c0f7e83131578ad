"""Preferences: which of two answers is better, and the evidence."""
