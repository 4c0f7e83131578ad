"""What can be said of a log afterwards: whether it is whole, and why things are as they are."""
