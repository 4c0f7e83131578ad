"""How the log itself stores events: compact, checked, and read back exactly."""
