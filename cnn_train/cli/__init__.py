"""The command line: one thin file per command, which imports its use case inside the function."""
