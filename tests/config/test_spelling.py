import pytest

from cnn_train.config.shipped import shipped_configs
from cnn_train.config.spelling import OTHER_NAMES, nearest
from cnn_train.losses import LOSSES
from cnn_train.models import ARCHITECTURES


@pytest.mark.parametrize(
    ("name", "choices", "meant"),
    [
        ("VGG-16", ["vgg11", "vgg16"], "vgg16"),
        ("resnet2", ["resnet32", "resnet20", "resnet110"], "resnet20"),
        ("softmax", LOSSES, "cross_entropy"),
        ("SVM", LOSSES, "hinge"),
        ("softmax", ["hinge"], None),
        ("gardcam", ["cam", "saliency"], "cam"),
        ("densenet", ARCHITECTURES, "densenet121"),
        ("resnet2", shipped_configs(), "resnet20"),
        ("zzzz", ["cam"], None),
        ("cam", [], None),
    ],
)
def test_the_nearest_name_is_the_one_that_is_meant(
    name: str, choices: list[str], meant: str | None
) -> None:
    assert nearest(name, choices) == meant


def test_every_other_name_means_something_that_exists() -> None:
    from typer.main import get_command

    from cnn_train.cli.main import app

    groups = [get_command(app)]
    for group in groups:
        groups += [inner for inner in group.commands.values() if hasattr(inner, "commands")]  # type: ignore[attr-defined]
    commands = {name for group in groups for name in group.commands}  # type: ignore[attr-defined]
    assert set(OTHER_NAMES.values()) <= commands | set(LOSSES) | set(ARCHITECTURES)
