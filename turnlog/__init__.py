"""turnlog: an event-sourced conversation engine."""
