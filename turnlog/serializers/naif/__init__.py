"""Sessions of NaifJs, written byte for byte as JavaScript writes JSON."""
