"""Dialogs made of units: threads of states, deadlines that survive, and who runs them."""
