"""Groups of differences with one cause, by a shared key."""
