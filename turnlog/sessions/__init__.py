"""Sessions of bots: values by key, with a history behind every one, over one log."""
