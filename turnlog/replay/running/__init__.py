"""Runs bots: conversation by conversation, concurrently, in other processes."""
