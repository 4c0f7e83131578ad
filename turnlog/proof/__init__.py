"""Proves a log to people who do not have it, in C2SP's formats: tree, heads, proofs (ADR 18)."""
