"""What training and evaluation count, and statistics of it."""
