"""Permitted differences: rules, and a team's own judges."""
