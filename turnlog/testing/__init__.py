"""Test kits for your own code: contracts, a state machine and strategies for hypothesis."""
