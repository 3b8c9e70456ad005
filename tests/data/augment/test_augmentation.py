import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from cnn_train.data.augment.covering import cut_out
from cnn_train.data.augment.settings import AugmentConfig
from cnn_train.data.augment.shifting import coins, flip_and_translate

GREY = (90, 120, 150)


def random_images(num_images: int, height: int = 12, width: int = 9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    shape = (num_images, 3, height, width)
    return torch.randint(256, shape, generator=generator, dtype=torch.uint8)


def augmented(images_BCHW, *, seed=0, epoch=0, index_B=None, **settings):
    """Change the images; ``index_B`` are their places in the training set."""
    augmentation = AugmentConfig(**settings).build()
    index_B = torch.arange(len(images_BCHW)) if index_B is None else index_B
    changes_5N = augmentation.draw(images_BCHW.shape, seed, epoch)
    return augmentation(images_BCHW, changes_5N[:, index_B], fill=GREY)


def was_mirrored(before_BCHW, after_BCHW) -> torch.Tensor:
    return (after_BCHW == before_BCHW.flip(3)).flatten(1).all(1)


def test_the_defaults_are_the_documented_ones():
    expected = {"flip": "random", "translate": 4, "cutout": 0, "brightness": 0, "contrast": 0}
    assert expected.items() <= AugmentConfig().model_dump().items()


def test_mirroring_equals_torch_flip():
    images_BCHW = random_images(4)
    mirrored_B = torch.tensor([True, False, True, False])
    still_B = torch.zeros(4, dtype=torch.int64)
    after = flip_and_translate(images_BCHW, mirrored_B, still_B, still_B)
    assert torch.equal(after[mirrored_B], images_BCHW[mirrored_B].flip(3))
    assert torch.equal(after[~mirrored_B], images_BCHW[~mirrored_B])


def test_every_shift_equals_a_window_of_the_padded_image():
    reach = 4
    shifts = torch.cartesian_prod(*[torch.arange(-reach, reach + 1)] * 2).repeat(2, 1)
    dy_B, dx_B = shifts.unbind(1)
    mirrored_B = torch.arange(len(shifts)) < len(shifts) // 2
    images_BCHW = random_images(len(shifts))
    after = flip_and_translate(images_BCHW, mirrored_B, dy_B, dx_B)
    for image, mirrored, dy, dx, result in zip(
        images_BCHW, mirrored_B, dy_B, dx_B, after, strict=True
    ):
        upright = image.flip(2) if mirrored else image
        padded = F.pad(upright.float(), (reach,) * 4, mode="reflect")
        window = padded[:, reach - dy : reach - dy + 12, reach - dx : reach - dx + 9]
        assert torch.equal(result.float(), window)


def test_a_positive_shift_moves_the_picture_down_and_right():
    image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    image[..., 2, 3] = 255
    after = flip_and_translate(image, torch.tensor([False]), torch.tensor([1]), torch.tensor([2]))
    assert (after[0, 0] == 255).nonzero().tolist() == [[3, 5]]


@pytest.mark.parametrize("side_px", [1, 2, 3, 8])
def test_a_shift_larger_than_the_image_still_finds_pixels(side_px):
    images_BCHW = random_images(50, side_px, side_px)
    after = augmented(images_BCHW, flip="none", translate=30)
    assert after.shape == images_BCHW.shape
    levels = images_BCHW.flatten(2)[..., None]
    assert (after.flatten(2)[:, :, None] == levels).any(2).all()


def test_cutout_fills_exactly_its_square_with_the_colour():
    images_BCHW = torch.full((3, 3, 12, 9), 7, dtype=torch.uint8)
    top_B, left_B = torch.tensor([2, -3, 10]), torch.tensor([1, -1, 7])
    after = cut_out(images_BCHW, top_B, left_B, 4, 4, GREY)
    changed = after != images_BCHW
    assert changed[:, 0].flatten(1).sum(1).tolist() == [16, 1 * 3, 2 * 2]
    expected = images_BCHW.clone()
    colour = torch.tensor(GREY, dtype=torch.uint8)[:, None, None]
    expected[0, :, 2:6, 1:5] = colour
    expected[1, :, :1, :3] = colour
    expected[2, :, 10:, 7:] = colour
    assert torch.equal(after, expected)


def test_cutouts_centre_falls_on_every_pixel_alike():
    images_BCHW = torch.zeros(12 * 9 * 100, 3, 12, 9, dtype=torch.uint8)
    after = augmented(images_BCHW, flip="none", translate=0, cutout=1)
    hits_HW = (after[:, 0] != 0).sum(0)
    assert hits_HW.sum() == len(images_BCHW)
    chi_square = ((hits_HW - 100) ** 2 / 100).sum().item()
    assert 66 < chi_square < 160  # 107 degrees of freedom: 0.1% and 99.9% quantiles 67, 157


def test_every_image_draws_its_own_flip_and_shift():
    """All 2·9·9 changes occur about equally often in one minibatch of copies of one image."""
    copies = random_images(1, 12, 12).expand(162 * 50, -1, -1, -1)
    kinds, counts = augmented(copies).unique(dim=0, return_counts=True)
    assert len(kinds) == 162
    chi_square = ((counts - 50) ** 2 / 50).sum().item()
    assert 110 < chi_square < 222  # 161 degrees of freedom: 0.1% and 99.9% quantiles 111, 221


def test_alternating_flips_show_each_image_both_ways_in_any_two_epochs():
    images_BCHW = random_images(2000)
    epochs = [
        was_mirrored(
            images_BCHW, augmented(images_BCHW, flip="alternating", translate=0, epoch=epoch)
        )
        for epoch in range(4)
    ]
    assert 900 < epochs[0].sum() < 1100
    assert torch.equal(epochs[0], ~epochs[1])
    assert torch.equal(epochs[0], epochs[2]) and torch.equal(epochs[1], epochs[3])


@pytest.mark.parametrize("flip", ["random", "alternating"])
def test_changes_belong_to_the_image_not_to_its_place_in_the_minibatch(flip):
    images_BCHW = random_images(100)
    order_B = torch.randperm(100, generator=torch.Generator().manual_seed(3))
    settings = {"flip": flip, "cutout": 3, "seed": 2**63 - 1}
    in_order = augmented(images_BCHW, **settings)
    shuffled = augmented(images_BCHW[order_B], index_B=order_B, **settings)
    assert torch.equal(shuffled, in_order[order_B])


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**63 - 1])
def test_coins_are_fair_for_neighbours_and_independent_between_seeds(seed):
    coins_N = coins(torch.arange(10_000), seed)
    assert abs(coins_N.sum() - 5000) < 225  # 4.5 standard deviations
    assert abs((coins_N[1:] ^ coins_N[:-1]).sum() - 5000) < 225
    assert abs((coins_N ^ coins(torch.arange(10_000), seed ^ 12345)).sum() - 5000) < 225


@pytest.mark.parametrize(
    "settings", [{}, {"cutout": 5}, {"flip": "none"}, {"flip": "alternating", "translate": 2}]
)
def test_the_same_seed_and_epoch_give_the_same_images_of_the_same_kind(settings):
    images_BCHW = random_images(20)
    before = images_BCHW.clone()
    once, again = (augmented(images_BCHW, seed=5, **settings) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.equal(once, augmented(images_BCHW, seed=6, **settings))
    assert not torch.equal(once, augmented(images_BCHW, seed=5, epoch=1, **settings))
    assert torch.equal(images_BCHW, before)
    assert once.dtype == torch.uint8 and once.shape == before.shape and once.is_contiguous()


def test_switching_one_change_off_leaves_the_others_as_they_were():
    images_BCHW = random_images(50)
    everything = augmented(images_BCHW, cutout=3)
    without_cutout = augmented(images_BCHW)
    filled = everything != without_cutout
    assert filled.flatten(1).any(1).all()
    colour = torch.tensor(GREY, dtype=torch.uint8)[:, None, None].expand_as(everything)
    assert torch.equal(everything[filled], colour[filled])


def test_cutout_takes_the_same_squares_with_and_without_flips_and_shifts():
    white = torch.full((50, 3, 12, 9), 255, dtype=torch.uint8)
    alone = augmented(white, flip="none", translate=0, cutout=3)
    assert torch.equal(augmented(white, flip="random", translate=4, cutout=3), alone)


def test_each_image_draws_its_own_light_evenly_within_the_bounds():
    augmentation = AugmentConfig(brightness=0.2, contrast=0.1).build()
    factor_N, summand_N = augmentation.light(augmentation.draw((2000, 3, 4, 4), 0, 0))
    for values_N, middle, reach in ((factor_N, 1, 0.1), (summand_N, 0, 0.2)):
        positions_N = (values_N - middle) / reach
        assert positions_N.abs().max() <= 1.0001
        counts = positions_N.histc(10, -1.0001, 1.0001)
        assert counts.sum() == 2000
        assert ((counts - 200) ** 2 / 200).sum() < 27.9  # 9 degrees of freedom: 99.9% quantile
    assert abs(torch.corrcoef(torch.stack((factor_N, summand_N)))[0, 1]) < 0.1


def test_one_change_of_light_leaves_the_other_as_it_is_and_none_says_so():
    changes_7N = AugmentConfig().build().draw((20, 3, 4, 4), 0, 0)
    factor_N, summand_N = AugmentConfig(brightness=0.2, contrast=0.1).build().light(changes_7N)
    contrast_only = AugmentConfig(contrast=0.1).build().light(changes_7N)
    brightness_only = AugmentConfig(brightness=0.2).build().light(changes_7N)
    assert torch.equal(contrast_only[0], factor_N) and not contrast_only[1].any()
    assert torch.equal(brightness_only[1], summand_N) and (brightness_only[0] == 1).all()
    assert AugmentConfig().build().light(changes_7N) is None


def test_no_augmentation_returns_the_images():
    images_BCHW = random_images(5)
    assert torch.equal(augmented(images_BCHW, flip="none", translate=0), images_BCHW)


def test_channels_last_and_float_images_are_changed_alike():
    images_BCHW = random_images(10)
    expected = augmented(images_BCHW, cutout=3)
    channels_last = images_BCHW.to(memory_format=torch.channels_last)
    assert torch.equal(augmented(channels_last, cutout=3), expected)
    assert torch.equal(augmented(images_BCHW.float(), cutout=3), expected.float())


def test_an_empty_minibatch_stays_empty():
    assert augmented(random_images(0), cutout=2).shape == (0, 3, 12, 9)


@pytest.mark.parametrize(
    "settings",
    [
        {"flip": "yes"},
        {"flip": True},
        {"translate": -1},
        {"cutout": 2.5},
        {"brightness": -0.1},
        {"contrast": 1.1},
    ],
)
def test_a_setting_that_means_nothing_is_refused(settings):
    with pytest.raises(ValidationError):
        AugmentConfig(**settings)
