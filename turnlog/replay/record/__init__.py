"""The recorded side: turns to send to a bot, its answers, and the results of its tools."""
