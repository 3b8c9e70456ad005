"""Which pixels speak for a class: saliency, Grad-CAM and occlusion.

Three answers to one question. Saliency asks how the score would change with each pixel, Grad-CAM
where in the image the last maps that speak for the class are active, and occlusion what the score
loses when a part of the image is covered. Scores are those before the softmax.

Shape letters: B minibatch, C channels of the image, K channels of a layer, H W pixels, h w units
of a map, M positions of a window.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Units, as_maps, keep_outputs

WINDOWS_AT_ONCE = 128


def saliency(model: nn.Module, inputs_BCHW: Tensor, class_B: Tensor, deviation_C: Tensor) -> Tensor:
    """Return BHW: the largest |∂ score / ∂ pixel| over the colours (Simonyan et al., 2014).

    It is per pixel value, as :func:`per_pixel` says.
    """
    assert not model.training
    leaf_BCHW = inputs_BCHW.detach().clone().requires_grad_()
    with torch.enable_grad():
        scores_B = model(leaf_BCHW).gather(1, class_B[:, None])
    (slope_BCHW,) = torch.autograd.grad(scores_B.sum(), leaf_BCHW)
    return per_pixel(slope_BCHW, deviation_C).abs().amax(dim=1)


def per_pixel(slope_BCHW: Tensor, deviation_C: Tensor) -> Tensor:
    """Turn slopes (BCHW or CHW) at the network's input into slopes at pixels, from 0 (black) to 1.

    The network reads (pixel − mean) / deviation, so they are divided by the deviation.
    """
    return slope_BCHW / deviation_C.to(slope_BCHW)[:, None, None]


def grad_cam(model: nn.Module, units: Units, inputs_BCHW: Tensor, class_B: Tensor) -> Tensor:
    """Return Bhw = max(0, Σ_k α_k A_k), with α_k the mean of ∂ score / ∂ A_k over map k.

    Selvaraju et al., "Grad-CAM", 2017; A_k are the maps of the layer.
    """
    assert not model.training
    with keep_outputs([units]) as outputs, torch.enable_grad():
        scores_BK = model(inputs_BCHW.detach().clone().requires_grad_())
        score = scores_BK.gather(1, class_B[:, None]).sum()
        (slope,) = torch.autograd.grad(score, outputs[units.layer])
    raw = (outputs[units.layer], slope)
    maps_BKhw, slope_BKhw = (as_maps(x.detach(), units.field) for x in raw)
    weight_BK11 = slope_BKhw.mean(dim=(2, 3), keepdim=True)
    return (weight_BK11 * maps_BKhw).sum(dim=1).clamp(min=0)


def enlarge(map_Bhw: Tensor, size_px: tuple[int, int]) -> Tensor:
    """Return a map with one value per pixel, BHW, by bilinear interpolation."""
    return F.interpolate(map_Bhw[:, None], size=size_px, mode="bilinear")[:, 0]


@torch.no_grad()
def occlusion(
    model: nn.Module, input_CHW: Tensor, label: int, *, window_px: int, stride_px: int
) -> Tensor:
    """Return HW: the mean drop of the score over the windows that cover a pixel.

    A window of ``window_px`` × ``window_px`` is filled with 0, the training images' mean colour,
    and moves by ``stride_px``; it begins and ends beyond the border, so that pixels there are
    covered as often as others. Zeiler and Fergus, 2014.
    """
    assert not model.training
    covers_MHW = window_positions(input_CHW.shape[1:], window_px, stride_px).to(input_CHW.device)
    score = model(input_CHW[None])[0, label]
    return mean_over(covers_MHW, score - covered_scores(model, input_CHW, covers_MHW)[:, label])


@torch.no_grad()
def covered_scores(model: nn.Module, input_CHW: Tensor, covers_MHW: Tensor) -> Tensor:
    """Return the scores of an input with each of some covers on it: a row each, in M."""
    parts = torch.split(covers_MHW, WINDOWS_AT_ONCE)
    return torch.cat([model(input_CHW * ~covered_BHW[:, None]) for covered_BHW in parts])


def mean_over(covers_MHW: Tensor, drop_M: Tensor) -> Tensor:
    """Return HW: the mean drop over the covers of each pixel."""
    return torch.einsum("m,mhw->hw", drop_M, covers_MHW.to(drop_M)) / covers_MHW.sum(dim=0)


def window_positions(size_px: torch.Size, window_px: int, stride_px: int) -> Tensor:
    """Return MHW: for each position of the window, which pixels it covers (bool)."""
    axes = []
    for side_px in size_px:
        first = torch.arange(stride_px - window_px, side_px, stride_px)[:, None]
        pixel = torch.arange(side_px)
        axes.append((pixel >= first) & (pixel < first + window_px))
    rows_MH, columns_MW = axes
    return (rows_MH[:, None, :, None] & columns_MW[None, :, None, :]).flatten(0, 1)
