"""The resolved config of a run that nobody trained."""


def resolved(**sections: object) -> str:
    """Return its text; ``sections`` go before the usual ones."""
    settings = {
        "data": "{name: shapes}",
        "model": "{name: vgg16}",
        "loss": "{name: hinge}",
        "optimizer": "{name: sgd, lr: 0.05}",
        "batch_size": 128,
        "epochs": 9,
        "seed": 0,
    }
    return "".join(f"{name}: {value}\n" for name, value in (settings | sections).items())
