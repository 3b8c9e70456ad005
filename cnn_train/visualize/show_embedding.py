"""Embedding: a map with a point per image, from the features that the last layer reads.

Shape letters: N images, D features.
"""

import torch
from torch import Tensor

from ..errors import UsageError
from ..figures.embedding import draw_embedding
from ..figures.style import Drawing
from ..machine.optional_library import require_libraries
from ..page import Block, Page, aligned, count_images, numbers, percent, texts
from .features import last_features, principal_components
from .pictures import picture
from .request import Request


def show_embedding(request: Request) -> Page:
    """Show the last features of all images in two dimensions, by PCA or t-SNE."""
    if len(request.subjects) < 2:
        raise UsageError("visualize embedding: one image makes no map; take two or more")
    batches = request.batches(f"Reading the features of {count_images(len(request.subjects))}")
    layer, features_ND = last_features(request.trained.model, batches)
    shares: list[float] = []
    if request.projection == "pca":
        map_N2, shares = principal_components(features_ND)
    else:
        map_N2 = t_sne(features_ND)
    what = f"{features_ND.shape[1]:,} features before {layer}"
    return Page(
        blocks=(_describe(request, map_N2, shares, what),),
        document={
            "projection": request.projection,
            "layer": layer,
            "num_features": features_ND.shape[1],
            "variance_shares": shares or None,
            "images": [
                {"image": name, "label": label, "position": position}
                for name, label, position in zip(
                    request.subjects.names, request.subjects.labels, map_N2.tolist(), strict=True
                )
            ],
        },
        draw=lambda: _draw(request, map_N2, shares, what),
    )


def _describe(request: Request, map_N2: Tensor, shares: list[float], what: str) -> Block:
    both = " and ".join(map(percent, shares))
    words = f"the axes hold {percent(sum(shares))} of the variance: {both}"
    labels = request.subjects.labels
    names = sorted(set(labels))
    groups = [map_N2[[label == name for label in labels]] for name in names]
    centres = [points_M2.mean(dim=0) for points_M2 in groups]
    spreads = [
        float((points_M2 - centre_2).square().sum(dim=1).mean().sqrt())
        for points_M2, centre_2 in zip(groups, centres, strict=True)
    ]
    columns = (
        names,
        [f"{len(points_M2):,}" for points_M2 in groups],
        *(aligned([float(centre_2[axis]) for centre_2 in centres]) for axis in (0, 1)),
        aligned(spreads),
    )
    return Block(
        heading=f"{request.projection} of {what}, {count_images(len(request.subjects))}",
        lines=(words,) if shares else (),
        columns=(*texts("class"), *numbers("images", "centre x", "centre y", "spread")),
        rows=tuple(zip(*columns, strict=True)),
    )


def _draw(request: Request, map_N2: Tensor, shares: list[float], what: str) -> Drawing:
    labels_N = request.labels()
    names = ("t-SNE 1", "t-SNE 2")
    if shares:
        first, second = (
            f"principal component {i} ({percent(share)} of the variance)"
            for i, share in enumerate(shares, start=1)
        )
        names = (first, second)
    title = f"{request.trained.config.model.name}: {what}, {count_images(len(labels_N))}"
    classes = request.trained.class_names
    pictures = [picture(request.subjects.images_NCHW[i]) for i in range(len(labels_N))]
    return draw_embedding(
        map_N2, labels_N, classes, axis_names=names, title=title, pictures=pictures
    )


def t_sne(features_ND: Tensor) -> Tensor:
    """Return a map N2 that keeps neighbours together (van der Maaten and Hinton, 2008).

    Raises UsageError where scikit-learn, which computes it, is not installed or there are fewer
    than four images.
    """
    require_libraries(
        "--projection tsne", "sklearn", extra="embedding", otherwise="use --projection pca"
    )
    from sklearn.manifold import TSNE

    if len(features_ND) < 4:
        raise UsageError(
            f"--projection tsne: {len(features_ND)} images are too few; give 4 or more"
        )
    perplexity = min(30.0, (len(features_ND) - 1) / 3)
    method = TSNE(2, perplexity=perplexity, init="pca", random_state=0)
    return torch.from_numpy(method.fit_transform(features_ND.numpy())).double()
