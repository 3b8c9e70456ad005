import pytest
import torch
from torch import Tensor

from cnn_train.data.augment.mixing import Mixing

SHAPE = (3000, 3, 20, 24)


def normalised(images_BCHW: Tensor) -> Tensor:
    return (images_BCHW.float() / 60 - 2).to(memory_format=torch.channels_last)


def mixed_by_hand(images: Tensor, drawn_5: Tensor, i: int) -> tuple[Tensor, float]:
    """Mix image i with the next, pixel by pixel; count the pixels that are its own."""
    share, top, left, height, width = drawn_5.tolist()
    mixed = share * images[i] + (1 - share) * images[i + 1]
    num_own = 0
    for y in range(images.shape[2]):
        for x in range(images.shape[3]):
            if top <= y < top + height and left <= x < left + width:
                mixed[:, y, x] = images[i + 1, :, y, x]
            else:
                num_own += 1
    return mixed, share * num_own / images[0, 0].numel()


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_an_image_and_its_label_hold_so_much_of_the_next(
    pictures_BCHW: Tensor, mixup: float, cutmix: float
) -> None:
    mixing, images_BCHW = Mixing(mixup, cutmix), normalised(pictures_BCHW)
    labels_B = torch.tensor([0, 1, 2, 0, 1, 1, 2, 2, 0, 1, 2, 0])
    drawn_5B = mixing.draw(pictures_BCHW.shape, 2, 0)
    found_BCHW, main_B, mixed = mixing(images_BCHW, labels_B, drawn_5B)
    assert len(found_BCHW) == len(main_B) == len(mixed.labels_B) == len(images_BCHW) - 1
    for i in range(len(found_BCHW)):
        expected_CHW, own = mixed_by_hand(images_BCHW, drawn_5B[:, i], i)
        torch.testing.assert_close(found_BCHW[i], expected_CHW)
        target_K = torch.zeros(3)
        target_K[labels_B[i]] += own
        target_K[labels_B[i + 1]] += 1 - own
        found_K = torch.zeros(3)
        found_K[main_B[i]] += 1 - mixed.share_B[i]
        found_K[mixed.labels_B[i]] += mixed.share_B[i]
        torch.testing.assert_close(found_K, target_K)
    assert mixed.share_B.min() >= 0 and mixed.share_B.max() <= 0.5
    assert found_BCHW.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 4.0])
def test_the_share_follows_the_beta_distribution(alpha: float) -> None:
    """Of mean ½ and variance 1 / (4 (2α + 1))."""
    share_N, *boxes = Mixing(alpha, 0.0).draw(SHAPE, 0, 0)
    assert not any(box.any() for box in boxes)
    assert share_N.mean() == pytest.approx(0.5, abs=0.04)
    assert share_N.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.12)


def test_rectangles_have_the_area_that_was_drawn_unless_the_border_cuts_them() -> None:
    """With α = 1 the share is even; a side is the root of it, cut at the image's borders."""
    share_N, top, left, height, width = Mixing(0.0, 1.0).draw((4000, 3, 1000, 1000), 0, 0)
    assert (share_N == 1).all()
    assert ((top + height) <= 1000).all() and ((left + width) <= 1000).all()
    assert (height >= 0).all() and (width >= 0).all()
    is_whole_N = (top > 0) & (left > 0) & (top + height < 1000) & (left + width < 1000)
    torch.testing.assert_close(height[is_whole_N], width[is_whole_N])
    # of a side s, the middle lies where nothing is cut with probability (1 − s)²; s² is even
    expected = 1 - 2 * 2 / 3 + 1 / 2
    assert is_whole_N.double().mean() == pytest.approx(expected, abs=0.03)
    # E of one side after the cut is s − s²/4; its square, over s² even in [0, 1]
    assert (height * width / 1e6).mean() == pytest.approx(1 / 2 - 1 / 5 + 1 / 48, abs=0.02)


def test_with_both_each_image_gets_one_of_the_two_and_what_it_would_get_of_it_alone() -> None:
    both, blended, cut = (Mixing(*alphas).draw(SHAPE, 7, 3) for alphas in ((1, 1), (1, 0), (0, 1)))
    is_cut_N = both[0] == 1
    assert torch.equal(both, torch.where(is_cut_N, cut, blended))
    assert abs(is_cut_N.sum() - 1500) < 124  # 4.5 standard deviations


def test_an_image_mixed_with_another_of_its_class_keeps_its_label(pictures_BCHW: Tensor) -> None:
    labels_B = torch.ones(12, dtype=torch.int64)
    mixing = Mixing(1.0, 1.0)
    drawn_5B = mixing.draw(pictures_BCHW.shape, 0, 0)
    _, main_B, mixed = mixing(normalised(pictures_BCHW), labels_B, drawn_5B)
    assert (main_B == 1).all() and (mixed.labels_B == 1).all()
