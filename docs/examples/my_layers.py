"""Layers to try ``cnn-train learn check --module`` on: right ones and wrong ones."""

# ruff: noqa: D102

import torch
from torch import Tensor, nn


class MyReLU(torch.autograd.Function):
    """max(0, x), and its slope: right."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (x > 0)


class WrongReLU(MyReLU):
    """Hands the slope on where nothing came through: wrong."""

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return grad


class WrongSquare(torch.autograd.Function):
    """x², with a factor forgotten: wrong."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * x


class MyScale(nn.Module):
    """A weight per layer; torch finds the slopes of what is made of its own functions: right."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * torch.tanh(x)
