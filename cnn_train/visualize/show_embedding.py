"""Embedding: a map with a point per image, from the features that the last layer reads.

Shape letters: N images, D features.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..figures.embedding import draw_embedding
from ..figures.style import Drawing
from ..machine.optional_library import require_libraries
from ..models.head import head_layer, reading_inputs
from ..page import Block, Page, aligned, count_images, numbers, percent, texts
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


@torch.no_grad()
def last_features(model: nn.Module, batches_BCHW: Iterable[Tensor]) -> tuple[str, Tensor]:
    """Return the name of the layer that gives the scores, and its inputs for every image (ND).

    Raises UsageError where that layer is not fully connected.
    """
    assert not model.training
    name, layer = head_layer(model)
    if not isinstance(layer, nn.Linear):
        raise UsageError("visualize embedding: the model has no fully connected layer at its end")
    with reading_inputs(layer) as features:
        for inputs_BCHW in batches_BCHW:
            model(inputs_BCHW)
    return name, torch.cat(features)


def principal_components(features_ND: Tensor) -> tuple[Tensor, list[float]]:
    """Return the features along their directions of greatest variance, N2, and the shares of it.

    Exact, by the eigenvectors of the smaller of the two products XᵀX and XXᵀ; the sign of an axis
    is chosen so that its largest value is positive.
    """
    centred_ND = features_ND.double() - features_ND.double().mean(dim=0)
    wide = centred_ND.shape[1] > centred_ND.shape[0]
    product = centred_ND @ centred_ND.T if wide else centred_ND.T @ centred_ND
    variances, directions = torch.linalg.eigh(product)
    leading = directions.flip(1)[:, :2]
    largest = variances.flip(0)[:2].clamp(min=0)
    map_N2 = leading * largest.sqrt() if wide else centred_ND @ leading
    peaks_2 = map_N2.gather(0, map_N2.abs().argmax(dim=0, keepdim=True))
    total = max(float(centred_ND.square().sum()), 1e-300)
    return map_N2 * peaks_2.sign(), [float(value) / total for value in largest]


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
