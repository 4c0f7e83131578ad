"""What each event does to a state, by what it is about."""
