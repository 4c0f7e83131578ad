"""Compares a bot's answer with the recorded one."""
