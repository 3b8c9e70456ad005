"""Your own images, one folder per class."""
