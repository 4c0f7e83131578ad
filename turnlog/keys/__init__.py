"""A log's keys: where they are kept, and what is sealed under them (ADR 19)."""
