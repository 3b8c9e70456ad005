"""Datasets, splits and device-resident minibatches."""
