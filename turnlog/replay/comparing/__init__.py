"""A bot's answer held against the recorded one."""
