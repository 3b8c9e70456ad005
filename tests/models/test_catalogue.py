import pytest

from cnn_train.models import ARCHITECTURES
from cnn_train.models.summary import ArchitectureSummary, summarize_architecture


def test_the_linear_classifier_is_summarised_as_computed_by_hand() -> None:
    assert summarize_architecture("linear", 10, (3, 32, 32)) == ArchitectureSummary(
        name="linear",
        description="A linear classifier: one weight template per class",
        parameters=30_730,
        macs=30_720,
    )


@pytest.mark.parametrize(
    ("name", "published_macs"),
    [("resnet20", 40.6e6), ("vgg16", 313e6), ("resnet18", 0.56e9), ("wide_resnet", 5.2e9)],
)
def test_the_work_per_image_agrees_with_the_literature(name: str, published_macs: float) -> None:
    assert summarize_architecture(name, 10, (3, 32, 32)).macs == pytest.approx(
        published_macs, rel=0.02
    )


def test_the_fast_network_costs_little() -> None:
    assert summarize_architecture("fastnet", 10, (3, 32, 32)).macs < 30e6


@pytest.mark.parametrize("config_type", dict.fromkeys(ARCHITECTURES.values()))
def test_every_description_is_one_line_that_fits_a_table(config_type: type) -> None:
    lines = (config_type.__doc__ or "").strip().splitlines()
    assert len(lines) == 1
    assert 30 < len(lines[0]) < 100
