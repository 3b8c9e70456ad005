"""Shared fixtures; tests never use the network, an accelerator or data from outside the tree."""
