"""``python -m cnn_train``: the same program as the ``cnn-train`` command."""

from .cli.main import main

if __name__ == "__main__":
    main()
