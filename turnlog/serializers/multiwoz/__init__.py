"""MultiWOZ 2.1."""
