"""The small network of the playground: features of a point in, a score for each class out.

Shape letters: B points, F features, U units of a layer, K classes.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..models.initialisation import initialise
from .toy_sets import CLASS_NAMES

FEATURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "x1": lambda x1_B, x2_B: x1_B,
    "x2": lambda x1_B, x2_B: x2_B,
    "x1x1": lambda x1_B, x2_B: x1_B.square(),
    "x2x2": lambda x1_B, x2_B: x2_B.square(),
    "x1x2": lambda x1_B, x2_B: x1_B * x2_B,
    "sin_x1": lambda x1_B, x2_B: x1_B.sin(),
    "sin_x2": lambda x1_B, x2_B: x2_B.sin(),
}

FEATURE_SIGNS = {
    "x1": "x₁", "x2": "x₂", "x1x1": "x₁²", "x2x2": "x₂²", "x1x2": "x₁x₂",
    "sin_x1": "sin x₁", "sin_x2": "sin x₂",
}  # fmt: skip
"""How formulas and pictures write each feature."""

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "linear": nn.Identity,
}  # fmt: skip


def compute_features(points_B2: Tensor, names: Sequence[str]) -> Tensor:
    """Return features_BF, in the order of their names."""
    return torch.stack([FEATURES[name](*points_B2.unbind(1)) for name in names], dim=1)


class ToyNetwork(nn.Sequential):
    """hidden1, activation1, hidden2, … and the head ``scores``.

    It computes in float64, so that the numbers of a step add up exactly on the screen.
    """

    def __init__(self, num_features: int, hidden: Sequence[int], activation: str) -> None:
        super().__init__()
        for number, (fan_in, size) in enumerate(
            zip([num_features, *hidden], hidden, strict=False), start=1
        ):
            self.add_module(f"hidden{number}", nn.Linear(fan_in, size))
            self.add_module(f"activation{number}", ACTIVATIONS[activation]())
        self.scores = nn.Linear([num_features, *hidden][-1], len(CLASS_NAMES))
        initialise(self, head=self.scores)
        self.double()

    @property
    def linear_layers(self) -> list[nn.Linear]:
        """The layers that have weights, first to last."""
        return [layer for layer in self if isinstance(layer, nn.Linear)]

    @torch.no_grad()
    def outputs_by_layer(self, features_BF: Tensor) -> list[Tensor]:
        """Return the features, each hidden layer's output after its activation, and the scores."""
        outputs, current_BU = [features_BF], features_BF
        for layer in self:
            current_BU = layer(current_BU)
            if not isinstance(layer, nn.Linear) or layer is self.scores:
                outputs.append(current_BU)
        return outputs


def class_lead(scores_BK: Tensor, loss: str) -> Tensor:
    """Say for each point how far blue leads, in [−1, 1]; −1 is certainly orange.

    With cross-entropy this is p(blue) − p(orange); with the hinge loss it is the difference of the
    scores, cut off at the margin of 1, beyond which there is no loss.
    """
    lead_B = scores_BK[:, 1] - scores_BK[:, 0]
    return (lead_B / 2).tanh() if loss == "cross_entropy" else lead_B.clamp(-1, 1)


def grid_points(side: int, reach: float) -> Tensor:
    """Return the centres of side×side cells over [−reach, reach]², row by row from the top left."""
    middle_S = (torch.arange(side, dtype=torch.float64) + 0.5) * (2 * reach / side) - reach
    x2_SS, x1_SS = torch.meshgrid(-middle_S, middle_S, indexing="ij")
    return torch.stack([x1_SS.flatten(), x2_SS.flatten()], dim=1)
