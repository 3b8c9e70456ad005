"""What makes training fast without changing what it computes."""
