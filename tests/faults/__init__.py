"""Faults on purpose: crashes, full disks, frozen servers, crowds. The numbers are those of docs/faults.md."""
