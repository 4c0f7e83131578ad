"""What an export hides: pseudonyms for ids, and redacted personal data."""
