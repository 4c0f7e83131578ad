"""What may differ: rules, and judges that a team brings."""
