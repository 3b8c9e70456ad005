"""A run on disk: its directory, its states, and the list of all runs."""
