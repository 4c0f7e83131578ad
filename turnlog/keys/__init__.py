"""The keys of a log: where they are stored, and what is sealed under them (ADR 19)."""
