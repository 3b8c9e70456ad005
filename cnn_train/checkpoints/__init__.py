"""Checkpoint files: a run's whole state, safe to read, and weights from and for other programs."""
