"""One file of weights: a run's whole state, safe to read, and its exchange with other programs."""
