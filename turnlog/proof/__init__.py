"""What shows a log to whoever does not have it, in C2SP's formats: tree, heads, proofs (ADR 18)."""
