from typing import Any

import pytest
import torch
from pydantic import ValidationError

from cnn_train.data.augment.settings import AugmentConfig
from cnn_train.data.checks import check_augmentation
from cnn_train.errors import ConfigError
from cnn_train.experiment import ExperimentConfig

SWITCHES: dict[str, Any] = {
    "saturation": 0.4, "hue": 0.1, "rotation": 20, "crop_scale": [0.3, 1], "trivial_augment": True,
    "erasing": 0.5, "mixup": 0.4, "cutmix": 1,
}  # fmt: skip
SHAPE = (40, 3, 16, 16)


def test_every_change_is_off_by_default_and_switched_on_by_its_setting() -> None:
    plain = AugmentConfig().build()
    assert plain.changes == () and plain.mixing is None
    for name, value in SWITCHES.items():
        augment = AugmentConfig(**{name: value}).build()
        assert len(augment.changes) + (augment.mixing is not None) == 1, name


@pytest.mark.parametrize("name", SWITCHES)
def test_switching_a_change_on_alters_the_draws_of_no_other(name: str) -> None:
    alone, all_on = (
        AugmentConfig(**{name: SWITCHES[name]}).build(),
        AugmentConfig(**SWITCHES).build(),
    )
    plain_7N = AugmentConfig().build().draw(SHAPE, 3, 1)
    assert torch.equal(alone.draw(SHAPE, 3, 1), plain_7N)
    assert torch.equal(all_on.draw(SHAPE, 3, 1), plain_7N)
    kinds = {type(change): drawn for change, drawn in
             zip(all_on.changes, all_on.draw_changes(SHAPE, 3, 1), strict=True)}  # fmt: skip
    rows = {"saturation": [0], "hue": [1], "rotation": [0, 1], "crop_scale": [2, 3, 4, 5]}
    for change, drawn_kN in zip(alone.changes, alone.draw_changes(SHAPE, 3, 1), strict=True):
        chosen = rows.get(name, list(range(len(drawn_kN))))
        assert torch.equal(drawn_kN[chosen], kinds[type(change)][chosen])
        assert drawn_kN[chosen].unique().numel() > 1
        for other in ((3, 2), (4, 1)):  # epoch and seed
            assert not torch.equal(change.draw(SHAPE, *other)[chosen], drawn_kN[chosen])


@pytest.mark.parametrize(
    "settings",
    [
        {"saturation": 1.1}, {"saturation": -0.1}, {"hue": 0.6}, {"rotation": 181},
        {"crop_scale": [0, 1]}, {"crop_scale": [0.5, 1.1]}, {"crop_scale": [1, 0.5]},
        {"crop_scale": 0.5}, {"crop_scale": [0.2, 0.5, 1]}, {"crop_ratio": [4, 3]},
        {"crop_ratio": [0, 1]}, {"trivial_augment": 1}, {"erasing": 1.5},
        {"erasing_scale": [0.3, 0.2]}, {"erasing_ratio": [2, 1]}, {"mixup": -1}, {"mixup": 0.001},
        {"cutmix": 101}, {"cutmix": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_means_nothing_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AugmentConfig(**settings)


def test_a_setting_whose_change_is_off_is_named() -> None:
    unused = AugmentConfig(crop_ratio=[1, 2], erasing_scale=[0.1, 0.2], erasing_ratio=[1, 2])
    named = [warning.split(":")[0] for warning in unused.warnings()]
    assert named == ["augment.crop_ratio", "augment.erasing_scale", "augment.erasing_ratio"]
    used = unused.model_copy(update={"crop_scale": (0.5, 1.0), "erasing": 0.5})
    assert used.warnings() == AugmentConfig().warnings() == []
    experiment = ExperimentConfig.model_validate({"augment": {"crop_ratio": [1, 2]}})
    assert experiment.warnings()[0].startswith("augment.crop_ratio: no effect")


@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"batch_size": 1}, "set batch_size to 2 or more"),
        ({"data_selection": {"keep": 0.5}}, "set data_selection.by: random"),
    ],
)
def test_images_are_not_mixed_where_that_has_no_meaning(
    mixing: str, sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        ExperimentConfig.model_validate({"augment": {mixing: 1.0}, **sections})
    ExperimentConfig.model_validate(sections)


@pytest.mark.parametrize("name", ["saturation", "hue"])
def test_colours_of_grey_images_cannot_change(name: str) -> None:
    with pytest.raises(ConfigError, match=f"augment.{name}: these images have no colours"):
        check_augmentation(AugmentConfig(**{name: 0.1}), (1, 8, 8))
    check_augmentation(AugmentConfig(**{name: 0.1}), (3, 8, 8))


def test_trivial_augment_needs_pixels_around_a_pixel() -> None:
    settings = AugmentConfig(trivial_augment=True, translate=0)
    with pytest.raises(ConfigError, match=r"augment.trivial_augment: .* side is 2 px"):
        check_augmentation(settings, (3, 2, 8))
    check_augmentation(settings, (1, 3, 3))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 3, 3), (3, 40, 7)])
def test_every_change_takes_small_grey_and_long_images(shape: tuple[int, int, int]) -> None:
    colours = {} if shape[0] == 3 else {"saturation": 0, "hue": 0}
    augment = AugmentConfig(**(SWITCHES | colours), translate=2, cutout=2).build()
    images = torch.randint(0, 256, (64, *shape), dtype=torch.uint8)
    changes_7N = augment.draw(images.shape, 0, 0)
    drawn = augment.draw_changes(images.shape, 0, 0)
    changed = augment(images, changes_7N, [128] * shape[0], drawn)
    assert changed.shape == images.shape and changed.dtype == torch.uint8
    labels_B = torch.arange(64)
    mixing = augment.mixing
    mixed, _, _ = mixing(changed.float(), labels_B, mixing.draw(images.shape, 0, 0))
    assert mixed.shape == (63, *shape)
