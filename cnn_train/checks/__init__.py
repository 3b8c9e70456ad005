"""Checks of a network that need no long run: sane start, right gradients, speed of a step."""
