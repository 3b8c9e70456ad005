"""Where the network's last features put each image: a map with a point per image.

Shape letters: N images, D features.
"""

from torch import Tensor

from ..errors import UsageError
from ..figures.embedding import draw_embedding
from ..figures.style import Drawing
from .embedding import last_features, last_linear, principal_components, t_sne
from .request import Block, Column, Request, Visualization, aligned, count_images


def show_embedding(request: Request) -> Visualization:
    """Show the last features of all images in two dimensions, by PCA or t-SNE."""
    if len(request.subjects) < 2:
        raise UsageError("--method embedding: one image makes no map; take two or more")
    layer = last_linear(request.runs)
    batches = request.batches(f"Reading the features of {count_images(len(request.subjects))}")
    features_ND = last_features(request.trained.model, layer.module, batches)
    shares: list[float] = []
    if request.projection == "pca":
        map_N2, shares = principal_components(features_ND)
    else:
        map_N2 = t_sne(features_ND)
    what = f"{features_ND.shape[1]:,} features before {layer.name}"
    return Visualization(
        blocks=(_describe(request, map_N2, shares, what),),
        document={
            "projection": request.projection,
            "layer": layer.name,
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
    words = f"the axes hold {100 * sum(shares):.1f} % of the variance: " + " and ".join(
        f"{100 * share:.1f} %" for share in shares
    )
    groups = {
        name: map_N2[[i for i, label in enumerate(request.subjects.labels) if label == name]]
        for name in sorted(set(request.subjects.labels))
    }
    centres = {name: points_M2.mean(dim=0) for name, points_M2 in groups.items()}
    spreads = [
        float((points_M2 - centres[name]).square().sum(dim=1).mean().sqrt())
        for name, points_M2 in groups.items()
    ]
    columns = (
        groups,
        [f"{len(points_M2):,}" for points_M2 in groups.values()],
        *(aligned([float(centre[axis]) for centre in centres.values()]) for axis in (0, 1)),
        aligned(spreads),
    )
    return Block(
        heading=f"{request.projection} of {what}, {count_images(len(request.subjects))}",
        lines=(words,) if shares else (),
        columns=(
            Column("class", is_number=False),
            *map(Column, ("images", "centre x", "centre y", "spread")),
        ),
        rows=tuple(zip(*columns, strict=True)),
    )


def _draw(request: Request, map_N2: Tensor, shares: list[float], what: str) -> Drawing:
    labels_N = request.labels()
    names = ("t-SNE 1", "t-SNE 2")
    if shares:
        first, second = (
            f"principal component {i} ({100 * share:.1f} % of the variance)"
            for i, share in enumerate(shares, start=1)
        )
        names = (first, second)
    title = f"{request.trained.config.model.name}: {what}, {count_images(len(labels_N))}"
    return draw_embedding(
        map_N2, labels_N, request.trained.class_names, axis_names=names, title=title
    )
