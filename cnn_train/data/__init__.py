"""Datasets, splits, augmentation and minibatches.

Nothing is imported here: a process that only decodes image files must not wait for torch.
"""
