"""What the formats share: the codec's interface, JSON as it comes, losses, spans and slots."""
