"""From a config to a trained network: load, build, train, save, resume."""
