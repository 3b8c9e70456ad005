import pytest
import torch
from torch import nn

from cnn_train.inference.views import ViewsName, least_confident, num_scorings, scores_over_views

PIXELS = 6


def make_linear() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * PIXELS * PIXELS, 4)).double()


def random_images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 3, PIXELS, PIXELS, generator=generator, dtype=torch.float64)


def test_without_views_the_scores_are_the_networks_own() -> None:
    model, images = make_linear(), random_images()
    assert torch.equal(scores_over_views(model, images, "none"), model(images))


def test_flip_averages_the_image_and_its_mirror() -> None:
    model, images = make_linear(), random_images()
    expected = (model(images) + model(images.flip(3))) / 2
    torch.testing.assert_close(scores_over_views(model, images, "flip"), expected)


@pytest.mark.parametrize("views", ["flip", "flip_translate"])
def test_the_weights_of_the_views_sum_to_one(views: ViewsName) -> None:
    """A network that ignores its input must keep its scores."""
    scores_BK = torch.tensor([[1.0, -3.0, 7.0]])
    found = scores_over_views(lambda _: scores_BK, torch.zeros(1, 3, 4, 4), views)
    assert torch.equal(found, scores_BK)


def test_the_shifted_views_move_by_one_pixel_up_left_and_down_right() -> None:
    """A network that returns its input's pixel (2, 2) sees there (2±1, 2±1) and the mirrors."""
    image = torch.arange(36, dtype=torch.float64).reshape(1, 1, 6, 6)
    seen: list[float] = []

    def look(images_BCHW: torch.Tensor) -> torch.Tensor:
        seen.append(images_BCHW[0, 0, 2, 2].item())
        return images_BCHW[:, 0, 2, 2:3]

    scores_over_views(look, image, "flip_translate")
    # Row 2, column 2 and its mirror, column 3; then shifted one row and column either way.
    assert seen == [14, 15, 7, 8, 21, 22]


def test_the_least_confident_images_have_the_least_margins_and_keep_their_order() -> None:
    """Margins 3, 0, 1, 0, 2: the lowest score of an image does not count, nor does their level."""
    scores_NK = torch.tensor([[0.0, 3, -9], [7, 7, 0], [-5, -4, -9], [1, 1, 1], [2, 0, -70]])
    assert least_confident(scores_NK, 0.6).tolist() == [1, 2, 3]
    assert least_confident(scores_NK, 0.2).tolist() == [1]  # of equal margins the first
    assert least_confident(scores_NK, 0.01).tolist() == [1]
    assert least_confident(scores_NK, 1).tolist() == [0, 1, 2, 3, 4]


def test_images_of_the_share_are_scored_twice() -> None:
    assert [num_scorings(8, share) for share in (1, 0.25, 0.01)] == [8, 10, 9]


@pytest.mark.parametrize(("views", "num_passes"), [("flip", 1), ("flip_translate", 5)])
def test_known_scores_of_the_first_view_are_not_computed_again(
    views: ViewsName, num_passes: int
) -> None:
    model, images = make_linear(), random_images()
    passes = 0

    def forward(images_BCHW: torch.Tensor) -> torch.Tensor:
        nonlocal passes
        passes += 1
        return model(images_BCHW)

    found = scores_over_views(forward, images, views, model(images))
    assert passes == num_passes
    assert torch.equal(found, scores_over_views(model, images, views))
