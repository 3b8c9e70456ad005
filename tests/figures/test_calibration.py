import pytest
import torch

from cnn_train.errors import counted
from cnn_train.figures.calibration import draw_calibration, draw_margins
from cnn_train.metrics.statistics import measure_calibration


def test_bars_are_the_accuracy_and_the_counts_of_the_bins_in_use():
    confidence_N = torch.tensor([0.6, 0.6, 0.9], dtype=torch.float64)
    calibration = measure_calibration(confidence_N, torch.tensor([True, False, True]))
    reliability, counts = draw_calibration(calibration, "Calibration").axes
    bars = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in reliability.patches]
    assert bars == [
        (pytest.approx(8 / 15), pytest.approx(1 / 15), 0.5),
        (pytest.approx(13 / 15), pytest.approx(1 / 15), 1.0),
    ]
    assert [bar.get_height() for bar in counts.patches] == [2, 1]
    assert reliability.get_title(loc="left") == "calibration error 10.0 %"


def test_the_gap_runs_from_the_accuracy_to_the_mean_confidence():
    calibration = measure_calibration(torch.tensor([0.75]), torch.tensor([True]))
    reliability = draw_calibration(calibration, "Calibration").axes[0]
    gap, interval = reliability.collections
    assert gap.get_segments()[0].tolist() == [[0.75, 1.0], [0.75, 0.75]]
    low, high = interval.get_segments()[0].tolist()
    # Wilson for 1 of 1, by hand: from 1 / (1 + z²) with z² = 3.841459 to 1
    assert (low[1], high[1]) == (pytest.approx(0.206549, abs=1e-6), 1)
    assert reliability.get_ylim() == (0, pytest.approx(1.02))


@pytest.mark.parametrize(
    "margins",
    [[-2.0, -0.1, 0.0, 0.5, 7.0], [3.0, 4.0], [-1.0, -2.0], [0.0], [1e-30, 2e-30], [-1e4, 3e4]],
)
def test_every_image_is_in_the_margin_histogram_right_and_wrong_apart(margins):
    axes = draw_margins(torch.tensor(margins), 1.0, "Margins").axes[0]
    wrong = [bar for bar in axes.patches if bar.get_x() + bar.get_width() / 2 < 0]
    assert sum(bar.get_height() for bar in axes.patches) == len(margins)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    num_wrong = sum(margin <= 0 for margin in margins)
    assert f"wrong: {counted(num_wrong, 'image')}" in labels
    assert f"right: {counted(len(margins) - num_wrong, 'image')}" in labels
    assert "margin 1: no loss beyond" in labels
    assert sum(bar.get_height() for bar in wrong) == sum(margin < 0 for margin in margins)


def test_margins_say_why_there_is_no_calibration():
    axes = draw_margins(torch.tensor([1.0, -1.0]), None, "Margins").axes[0]
    assert "not probabilities" in axes.get_title(loc="left")
