"""A run's whole state in one file that is safe to read; weights of other programs."""
