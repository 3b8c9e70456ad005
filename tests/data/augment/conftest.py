import pytest
import torch
from torch import Tensor


@pytest.fixture(scope="session")
def pictures_BCHW() -> Tensor:  # noqa: N802  (shape letters)
    """Smooth pictures with some noise; one is grey, one has one colour, one is faint."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(12, 3, 5, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (20, 24), mode="bicubic")
    noise = 0.06 * torch.randn(smooth.shape, generator=generator)
    levels = (255 * (smooth + noise)).clamp(0, 255)
    levels[0] = levels[0, :1]
    levels[1] = torch.tensor([40.0, 90.0, 200.0])[:, None, None]
    levels[2] = 60 + levels[2] / 3
    return levels.to(torch.uint8)
