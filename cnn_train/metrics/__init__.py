"""What training and evaluation count, and what it says about a model."""
