"""A map of images: neighbours are those that the network's last features hold for alike.

Shape letters: N images, B minibatch, D features, A axes of the map.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..models.summary import LayerRun


def last_linear(runs: Sequence[LayerRun]) -> LayerRun:
    """Return the fully connected layer that gives the scores; UsageError where there is none."""
    linear = [run for run in runs if isinstance(run.module, nn.Linear) and run.input.ndim == 2]
    if not linear:
        raise UsageError("--method embedding: the model has no fully connected layer at its end")
    return linear[-1]


@torch.no_grad()
def last_features(model: nn.Module, layer: nn.Module, batches_BCHW: Iterable[Tensor]) -> Tensor:
    """Return ND, on the CPU: what ``layer`` reads for every image."""
    assert not model.training
    pieces: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _module, inputs: pieces.append(inputs[0].cpu()))
    try:
        for inputs_BCHW in batches_BCHW:
            model(inputs_BCHW)
    finally:
        hook.remove()
    return torch.cat(pieces)


def principal_components(features_ND: Tensor, num_axes: int = 2) -> tuple[Tensor, list[float]]:
    """Return the features along their directions of greatest variance, NA, and the shares of it.

    Exact, by the eigenvectors of the smaller of the two products XᵀX and XXᵀ; the sign of an axis
    is chosen so that its largest value is positive.
    """
    centred_ND = features_ND.double() - features_ND.double().mean(dim=0)
    wide = centred_ND.shape[1] > centred_ND.shape[0]
    product = centred_ND @ centred_ND.T if wide else centred_ND.T @ centred_ND
    variances, directions = torch.linalg.eigh(product)
    leading = directions.flip(1)[:, :num_axes]
    largest = variances.flip(0)[:num_axes].clamp(min=0)
    map_NA = leading * largest.sqrt() if wide else centred_ND @ leading
    peaks_A = map_NA.gather(0, map_NA.abs().argmax(dim=0, keepdim=True))
    total = max(float(centred_ND.square().sum()), 1e-300)
    return map_NA * peaks_A.sign(), [float(value) / total for value in largest]


def t_sne(features_ND: Tensor, seed: int = 0) -> Tensor:
    """Return a map NA that keeps neighbours together (van der Maaten and Hinton, 2008).

    Raises UsageError where scikit-learn, which computes it, is not installed or there are fewer
    than four images.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise UsageError(
            "--projection tsne: needs scikit-learn; install it with "
            "`pip install 'cnn-train[embedding]'`, or use --projection pca"
        ) from None
    if len(features_ND) < 4:
        raise UsageError(
            f"--projection tsne: {len(features_ND)} images are too few; give 4 or more"
        )
    perplexity = min(30.0, (len(features_ND) - 1) / 3)
    method = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
    return torch.from_numpy(method.fit_transform(features_ND.numpy())).double()
