"""Proof, figures and a record of all that needs a GPU, from one command and a few minutes."""
