"""What stands beside the files of a data set, for people and for the tools that load it."""
