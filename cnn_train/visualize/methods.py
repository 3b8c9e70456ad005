"""Every method by the name that the command line uses, the options it reads, and its images."""

from collections.abc import Callable
from dataclasses import dataclass

from ..page import Page
from .request import Request
from .show_attribution import show_cam, show_occlusion, show_saliency
from .show_embedding import show_embedding
from .show_filters import show_filters
from .show_loss_surface import show_loss_surface
from .show_maps import show_maps
from .show_patches import show_deconv, show_guided, show_top_patches

SPLIT = frozenset({"--split", "--num-images", "--data-root"})
IMAGES = SPLIT | {"--image"}
CHANNELS = frozenset({"--channel", "--num-channels"})
UNITS = CHANNELS | {"--layer"}


@dataclass(frozen=True)
class Method:
    """``num_images``: how many it takes where the user names none; None: the whole split.

    ``options``: those of the command line that it reads. ``scores_as_evaluate``: in the model's own
    precision, where the others take float32.
    """

    show: Callable[[Request], Page]
    num_images: int | None
    options: frozenset[str]
    scores_as_evaluate: bool = False


METHODS: dict[str, Method] = {
    "filters": Method(show_filters, 0, UNITS),
    "maps": Method(show_maps, 1, UNITS | IMAGES),
    "top-patches": Method(show_top_patches, None, UNITS | IMAGES),
    "guided": Method(show_guided, None, UNITS | IMAGES | {"--signals-only"}),
    "deconv": Method(show_deconv, None, UNITS | IMAGES | {"--signals-only"}),
    "saliency": Method(show_saliency, 5, IMAGES | {"--class"}),
    "cam": Method(show_cam, 5, IMAGES | {"--class", "--layer"}),
    "occlusion": Method(show_occlusion, 5, IMAGES | {"--class", "--window"}),
    "embedding": Method(show_embedding, 2000, SPLIT | {"--projection"}),
    "loss-surface": Method(
        show_loss_surface, 500, SPLIT | {"--reach", "--num-points", "--seed"}, True
    ),
}
