"""What a conversation is: events, state, decide and apply. No I/O and no clock; ids are
passed in.
"""
