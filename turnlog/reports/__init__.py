"""Results of audits and replays as pages and texts that are safe to open."""
