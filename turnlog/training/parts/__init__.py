"""Parts of an export: near-duplicates, placement and leaks."""
