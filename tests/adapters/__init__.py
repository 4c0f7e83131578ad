"""Data sets that no codec reads, as dialogues."""
