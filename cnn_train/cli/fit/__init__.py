"""``cnn-train fit``: train a model from a config, or go on with a run."""
