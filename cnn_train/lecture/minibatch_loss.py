"""The loss of one minibatch as a function of all weights: the landscape that training walks down.

    L(θ) = 1/B Σ L_i(θ) + λR(θ)

The images stay, the weights θ vary. Computed in float64, where small steps are still exact, with
the network in training mode and with the same dropout every time: one θ has one loss.

Shape letters: P parameters.
"""

import torch
from torch import Tensor

from ..checks.gradcheck import data_objective
from ..machine.device import require_float64
from ..training.session import Session


class MinibatchLoss:
    """The data loss and λR of a session's first minibatch, on a copy of its network."""

    def __init__(self, session: Session) -> None:
        require_float64(session.device, "learn slope")
        model, self._data = data_objective(session, session.config.batch_size)
        self._penalty = session.config.regularization.build(model)
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]

    def point(self) -> Tensor:
        """Return the weights as they are: P numbers."""
        return torch.cat([weight.detach().flatten() for weight in self._weights])

    @torch.no_grad()
    def __call__(self, point_P: Tensor) -> float:
        """Move the weights to ``point_P`` and return the loss there."""
        pieces = torch.split(point_P, [weight.numel() for weight in self._weights])
        for weight, piece in zip(self._weights, pieces, strict=True):
            weight.copy_(piece.view_as(weight))
        return self._total().item()

    def gradient(self) -> Tensor:
        """Return the gradient at the present weights by backpropagation: P numbers."""
        gradients = torch.autograd.grad(
            self._total(), self._weights, allow_unused=True, materialize_grads=True
        )
        return torch.cat([gradient.flatten() for gradient in gradients])

    def _total(self) -> Tensor:
        return self._data.loss(self._data.scores()) + self._penalty()
