"""Harbor's Agent Trajectory Interchange Format (ATIF 1.8)."""
