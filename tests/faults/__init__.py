"""Faults on purpose: crashes, full disks, frozen servers, crowds.

The numbers in the modules' first lines are those of the list in docs/faults.md.
"""
