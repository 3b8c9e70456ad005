"""Every method by the name that the command line uses, and how many images it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..page import Page
from .request import Request
from .show_attribution import show_cam, show_occlusion, show_saliency
from .show_embedding import show_embedding
from .show_filters import show_filters
from .show_loss_surface import show_loss_surface
from .show_maps import show_maps
from .show_patches import show_patches


@dataclass(frozen=True)
class Method:
    """``num_images``: how many it takes where the user names none; None: the whole split.

    ``scores_as_evaluate``: in the model's own precision, where the others take float32.
    """

    show: Callable[[Request], Page]
    num_images: int | None
    scores_as_evaluate: bool = False


METHODS: dict[str, Method] = {
    "filters": Method(show_filters, 0),
    "maps": Method(show_maps, 1),
    "top-patches": Method(show_patches, None),
    "guided": Method(partial(show_patches, rule="guided"), None),
    "deconv": Method(partial(show_patches, rule="deconv"), None),
    "saliency": Method(show_saliency, 5),
    "cam": Method(show_cam, 5),
    "occlusion": Method(show_occlusion, 5),
    "embedding": Method(show_embedding, 2000),
    "loss-surface": Method(show_loss_surface, 500, scores_as_evaluate=True),
}
