"""What scripts/bench runs: figures of ours beside figures of theirs, taken in the same run."""
