"""How good a trained model is on labelled images."""
