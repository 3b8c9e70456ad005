"""The loss of one minibatch as a function of all weights: the landscape that training walks down.

    L(θ) = 1/B Σ L_i(θ) + λR(θ)

The images stay, the weights θ vary. Computed in float64, where small steps are still exact, with
the network in training mode and with the same dropout every time, so that it is a function indeed.

Shape letters: P parameters.
"""

import torch
from torch import Tensor

from ..checks.gradcheck import data_objective
from ..machine.device import require_float64
from ..training.session import Session


class MinibatchLoss:
    """The data loss and λR of the first minibatch of a session, on a copy of its network."""

    def __init__(self, session: Session) -> None:
        require_float64(session.device, "learn slope")
        model, self.data = data_objective(session)
        self.penalty = session.config.regularization.build(model)
        self.labels_B = next(session.batches.epoch(0)).labels_B
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]

    def point(self) -> Tensor:
        """Return the weights as they are: P numbers."""
        return _flatten([weight.detach() for weight in self.weights])

    @torch.no_grad()
    def __call__(self, point_P: Tensor) -> float:
        """Return the loss with the weights at ``point_P``, where they stay."""
        pieces = torch.split(point_P, [weight.numel() for weight in self.weights])
        for weight, piece in zip(self.weights, pieces, strict=True):
            weight.copy_(piece.view(weight.shape))
        return self._total().item()

    def gradient(self) -> Tensor:
        """Return the gradient at the present weights by backpropagation: P numbers."""
        gradients = torch.autograd.grad(self._total(), self.weights, allow_unused=True)
        pairs = zip(gradients, self.weights, strict=True)
        return _flatten([torch.zeros_like(w) if g is None else g for g, w in pairs])

    def _total(self) -> Tensor:
        return self.data.loss(self.data.scores()) + self.penalty()


def _flatten(tensors: list[Tensor]) -> Tensor:
    return torch.cat([one.reshape(-1) for one in tensors])
