"""How the log stores events: compact, checked, and read back exactly."""
