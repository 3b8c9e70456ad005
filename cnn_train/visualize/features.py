"""What the last layer of a network reads, and its two directions of greatest variance.

Shape letters: N images, D features.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..models.head import head_layer, reading_inputs


def has_features(model: nn.Module) -> bool:
    """Whether the layer that gives the scores is fully connected: its inputs are the features."""
    return isinstance(head_layer(model)[1], nn.Linear)


@torch.no_grad()
def last_features(model: nn.Module, batches_BCHW: Iterable[Tensor]) -> tuple[str, Tensor]:
    """Return the name of the layer that gives the scores, and its inputs for every image (ND).

    Raises UsageError where that layer is not fully connected.
    """
    assert not model.training
    name, layer = head_layer(model)
    if not has_features(model):
        raise UsageError("embedding: the model has no fully connected layer at its end")
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
