"""Trials: what-if, the shortest example, a bundle for others."""
