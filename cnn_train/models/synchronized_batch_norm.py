"""Batch norm over the whole minibatch, also where several processes hold parts of it.

Works with gloo on CPUs and with nccl on GPUs. Two collectives per layer: the parts' counts, means
and variances in the forward pass, two sums per channel in the backward pass.
Shape letters: B part of a minibatch, C channels, H W pixels, R processes.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn


class SynchronizedBatchNorm2d(nn.BatchNorm2d):
    """Differs from its base in training only; parameters, buffers and their names are the same."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise by the statistics of all parts together; in eval mode by the running ones."""
        if not self.training:
            return super().forward(input)
        output, mean_C, var_C, count = _Normalize.apply(input, self.weight, self.bias, self.eps)
        self._follow(mean_C, var_C * (count / (count - 1)))
        normalised: Tensor = output
        return normalised

    @torch.no_grad()
    def _follow(self, mean_C: Tensor, unbiased_var_C: Tensor) -> None:
        """Move the running statistics towards the minibatch's, as torch's batch norm does."""
        assert self.momentum is not None
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean_C.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(unbiased_var_C.to(self.running_var.dtype), self.momentum)


class _Normalize(torch.autograd.Function):
    """x̂·γ + β with x̂ = (x − μ)/√(σ² + ε), where μ and σ² are of all processes' examples.

    Backward, with dŷ = dy·γ and means over all examples: dx = (dŷ − mean(dŷ) − x̂·mean(dŷ·x̂))/σ
    (Ioffe and Szegedy, 2015). dγ and dβ stay sums over the part: data parallelism adds those up.
    """

    @staticmethod
    def forward(
        ctx: Any, input_BCHW: Tensor, weight_C: Tensor, bias_C: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x_BCHW = input_BCHW.to(weight_C.dtype)
        mean_C, var_C, count = _statistics_of_all(x_BCHW)
        inverse_C = torch.rsqrt(var_C + eps)
        scaled_BCHW = (x_BCHW - _wide(mean_C)) * _wide(inverse_C * weight_C)
        ctx.save_for_backward(input_BCHW, weight_C, mean_C, inverse_C, count)
        ctx.mark_non_differentiable(mean_C, var_C, count)
        return (scaled_BCHW + _wide(bias_C)).to(input_BCHW.dtype), mean_C, var_C, count

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        input_BCHW, weight_C, mean_C, inverse_C, count = ctx.saved_tensors
        dy_BCHW = slopes[0].to(weight_C.dtype)
        x_BCHW = (input_BCHW.to(weight_C.dtype) - _wide(mean_C)) * _wide(inverse_C)
        sums_2C = torch.stack([dy_BCHW.sum((0, 2, 3)), (dy_BCHW * x_BCHW).sum((0, 2, 3))])
        d_bias_C, d_weight_C = sums_2C.clone()
        distributed.all_reduce(sums_2C)
        mean_dy_C, mean_dy_x_C = sums_2C / count
        centred_BCHW = dy_BCHW - _wide(mean_dy_C) - x_BCHW * _wide(mean_dy_x_C)
        d_input_BCHW = centred_BCHW * _wide(inverse_C * weight_C)
        return d_input_BCHW.to(input_BCHW.dtype), d_weight_C, d_bias_C, None


def _statistics_of_all(x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance per channel, and the count of values, over all processes.

    Parts are merged by their own means, not by sums of squares, which cancel (Chan, Golub and
    LeVeque, 1979). The count stays on the device: nobody waits for it.
    """
    var_C, mean_C = torch.var_mean(x_BCHW, (0, 2, 3), correction=0)
    count_C = torch.full_like(mean_C, x_BCHW.numel() // x_BCHW.shape[1])
    own_3C = torch.stack([count_C, mean_C, var_C])
    parts = [torch.empty_like(own_3C) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, own_3C)
    count_RC, mean_RC, var_RC = torch.stack(parts, dim=1)
    share_RC = count_RC / count_RC.sum(0)
    mean_C = (share_RC * mean_RC).sum(0)
    var_C = (share_RC * (var_RC + (mean_RC - mean_C).square())).sum(0)
    return mean_C, var_C, count_RC[:, 0].sum()


def _wide(values_C: Tensor) -> Tensor:
    return values_C[:, None, None]


def synchronize_batch_norm(model: nn.Module) -> None:
    """Turn every batch norm of ``model`` into a synchronised one, in place.

    Only the class changes: references to the layer and its weights, and their names, stay valid.
    """
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SynchronizedBatchNorm2d
