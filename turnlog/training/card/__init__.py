"""The files that accompany a data set, for people and for the tools that load it."""
