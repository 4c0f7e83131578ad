"""The record of an export: its manifest, the ledger, and what an old manifest pins."""
