"""Bots asked again: conversation by conversation, side by side, in other processes."""
