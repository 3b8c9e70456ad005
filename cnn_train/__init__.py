"""Train, evaluate and take apart small-image convolutional networks.

The public Python API is four functions, imported on first use so that ``import cnn_train`` never
imports torch: :func:`train`, :func:`fit`, :func:`predict` and :func:`load_model`.
"""

from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .api import fit, load_model, predict, train

__all__ = ["__version__", "fit", "load_model", "predict", "train"]


def __getattr__(name: str) -> Any:
    if name in {"train", "fit", "predict", "load_model"}:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
