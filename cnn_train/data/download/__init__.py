"""Get one published file, whole and verified, over an unreliable network."""
