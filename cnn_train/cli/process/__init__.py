"""The process around a command: its streams, its signals, and the other processes of its run."""
