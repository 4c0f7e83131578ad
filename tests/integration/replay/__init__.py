"""Replay on dialogues made from the shared data: a bot that reproduces them, and its mutants."""
