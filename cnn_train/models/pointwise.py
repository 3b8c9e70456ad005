"""1×1 convolutions with a stride, computed without the CPU library's kernel for them.

In float32 and channels_last order, oneDNN's gradient of their filters writes beyond its buffer
(seen with torch 2.15 on AVX2, for any number of channels below about 16): it is wrong by half, or
the process crashes or hangs. Without a stride the kernel is right. So the pixels that the stride
skips are dropped first, which changes no number.

Shape letters: B minibatch, C channels, H W pixels.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class PointwiseConv2d(nn.Conv2d):
    """A 1×1 convolution, without padding, that drops the pixels between its strides first."""

    def forward(self, input_BCHW: Tensor) -> Tensor:
        """Return the maps that ``nn.Conv2d`` defines, in its own way where that is right."""
        if input_BCHW.is_cuda:
            return super().forward(input_BCHW)
        # pooling single pixels is exact and, unlike slicing, keeps its gradient in channels_last
        thinned_BCHW = F.avg_pool2d(input_BCHW, 1, self.stride)
        return F.conv2d(thinned_BCHW, self.weight, self.bias, groups=self.groups)


def avoid_strided_pointwise(model: nn.Module) -> None:
    """Make every strided 1×1 convolution of ``model`` a PointwiseConv2d; names and values stay."""
    for module in model.modules():
        strides = type(module) is nn.Conv2d and module.kernel_size == (1, 1) != module.stride
        if strides and module.padding in ((0, 0), "valid"):  # padding takes another kernel
            module.__class__ = PointwiseConv2d
