"""The live server: channels, bots and pages on one log."""
