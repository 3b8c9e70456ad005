"""Numbers in, matplotlib ``Figure`` out: no files, no pyplot, no global state."""
