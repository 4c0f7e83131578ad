"""Recorded conversations as environments, for models to learn in."""
