"""A trained model at work: from a checkpoint and image files to scores and classes."""
