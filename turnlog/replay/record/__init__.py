"""What is on record: turns to put to a bot, its answers, and what its tools gave."""
