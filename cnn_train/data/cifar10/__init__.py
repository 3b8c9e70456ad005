"""The real CIFAR-10: where it is published, how it is stored, how it is read safely."""
