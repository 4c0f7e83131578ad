"""What a conversation is: events, state, decide and apply. No I/O, no clock, no ids invented."""
