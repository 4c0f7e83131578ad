"""What the audit and a replay found, as pages and texts that are safe to open."""
