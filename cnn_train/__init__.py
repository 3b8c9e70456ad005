"""Train, evaluate and take apart small-image convolutional networks.

The public Python API is three functions, imported on first use so that ``import cnn_train`` never
imports torch: :func:`train`, :func:`predict` and :func:`load_model`.
"""

from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .api import load_model, predict, train

__all__ = ["__version__", "load_model", "predict", "train"]


def __getattr__(name: str) -> Any:
    if name in {"train", "predict", "load_model"}:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
