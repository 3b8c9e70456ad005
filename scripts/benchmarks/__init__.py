"""How fast cnn-train is, beside a plain PyTorch loop and the machine's own ceiling."""
