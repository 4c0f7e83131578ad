"""What others test with: the contracts of recorders, a machine and strategies for hypothesis."""
