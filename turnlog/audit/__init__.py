"""Audits of a log: whether it is whole, and why things are as they are."""
