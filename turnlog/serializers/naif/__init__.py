"""Sessions as NaifJs keeps them, written as JavaScript writes JSON."""
