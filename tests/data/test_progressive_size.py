from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cnn_train.data.progressive_size import ProgressiveSizeConfig, shrink


def sides(config: ProgressiveSizeConfig, epochs: int, full_px: int = 32) -> list[int]:
    return [config.side_px(epoch, epochs, full_px) for epoch in range(epochs)]


def test_the_side_climbs_by_steps_to_the_full_size() -> None:
    config = ProgressiveSizeConfig(start_px=20, full_from=0.75, step_px=4)
    assert sides(config, 8) == [20, 20, 24, 24, 28, 28, 32, 32]


def test_by_default_and_from_a_side_as_large_as_the_image_nothing_shrinks() -> None:
    assert sides(ProgressiveSizeConfig(), 3) == [32, 32, 32]
    assert sides(ProgressiveSizeConfig(start_px=40), 3) == [32, 32, 32]


@given(st.integers(1, 31), st.floats(0.01, 1), st.integers(1, 8), st.integers(1, 50))
def test_the_side_never_falls_and_ends_full(
    start_px: int, full_from: float, step_px: int, epochs: int
) -> None:
    config = ProgressiveSizeConfig(start_px=start_px, full_from=full_from, step_px=step_px)
    found = sides(config, epochs)
    assert found == sorted(found)
    assert found[0] == start_px
    assert config.side_px(epochs, epochs, 32) == 32


def test_stages_hold_up_to_their_parts_of_training() -> None:
    config = ProgressiveSizeConfig(stages=[[20, 0.15], [24, 0.5]])
    found = [config.side_px(epoch, 10, 32, done) for epoch in range(10) for done in (0.0, 0.5)]
    assert found == [20] * 3 + [24] * 7 + [32] * 10
    assert config.side_px(0, 10, 22) == 20
    assert config.side_px(2, 10, 22) == 22  # never larger than the images


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"stages": [[20, 0.5], [24, 0.5]]}, "must rise"),
        ({"stages": [[20, 0.5]], "start_px": 16}, "exclude each other"),
        ({"stages": [[0, 0.5]]}, "greater than or equal to 1"),
        ({"stages": [[20, 1.5]]}, "less than or equal to 1"),
    ],
)
def test_stages_that_mean_nothing_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ProgressiveSizeConfig(**settings)


def test_shrinking_keeps_the_mean_and_the_shape_of_the_image() -> None:
    images_BCHW = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    small = shrink(images_BCHW, 16)
    assert small.shape == (2, 3, 16, 32)
    torch.testing.assert_close(small.mean((2, 3)), images_BCHW.mean((2, 3)), atol=0.01, rtol=0)
    constant = torch.full((1, 1, 8, 8), 0.3)
    torch.testing.assert_close(shrink(constant, 5), torch.full((1, 1, 5, 5), 0.3))


@pytest.mark.parametrize("side_px", [8, 9])
def test_full_size_images_are_returned_as_they_are(side_px: int) -> None:
    images_BCHW = torch.rand(1, 1, 8, 8)
    assert shrink(images_BCHW, side_px) is images_BCHW
