"""The benchmarks of scripts/bench: our figures next to those of other packages, from the
same run.
"""
