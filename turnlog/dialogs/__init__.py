"""Dialogs made of units: threads of states, durable deadlines, and their runners."""
