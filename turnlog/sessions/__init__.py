"""Sessions for bots: values by key, dialog units, timers that survive, over one log."""
