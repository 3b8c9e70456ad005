import pytest
from matplotlib.figure import Figure

from cnn_train.figures.training_step import Sizes, draw_training_step

PHASES = {"data": 0.001, "forward": 0.002, "backward": 0.004}


def draw(
    layers: list[str], outputs: Sizes, gradients: Sizes, ratios: Sizes, phases: dict[str, float]
) -> Figure:
    figure = draw_training_step(
        layers, outputs, gradients, ratios, phases, "Step", usual_ratio=1e-3
    )
    figure.draw_without_rendering()
    return figure


def test_sizes_stand_beside_their_layers_and_phases_add_up() -> None:
    sizes = ([1.0, 2.0, 0.5], [None, 1e-5, 1e-3], [0.0, 1e-3, 2e-3])
    figure = draw(["conv", "bn", "fc"], *sizes, PHASES)
    outputs, gradients, ratios, times = figure.axes
    assert [tick.get_text() for tick in outputs.get_yticklabels()] == ["conv", "bn", "fc"]
    points = [list(zip(*axes.lines[0].get_data(), strict=True))
              for axes in (outputs, gradients, ratios)]  # fmt: skip
    assert points == [[(1, 0), (2, 1), (0.5, 2)], [(1e-5, 1), (1e-3, 2)], [(1e-3, 1), (2e-3, 2)]]
    assert outputs.get_ylim() == (2.5, -0.5)  # the first layer on top
    assert outputs.get_xlim() == (0.1, 10.0)
    assert times.get_title("left") == "Time of a step: 7.0 ms"
    names = [text.get_text() for text in times.get_legend().get_texts()]
    assert names == ["data 1.0", "forward 2.0", "backward 4.0"]


def test_a_net_without_any_gradient_is_drawn_all_the_same() -> None:
    figure = draw(["fc"], [1.0], [None], [0.0], PHASES)
    assert [len(axes.lines) for axes in figure.axes[:3]] == [1, 0, 1]


@pytest.mark.parametrize("ratios", [[1e-6, 4e-6], [20.0, 300.0], [0.001, 0.001], [1e28, None]])
def test_the_usual_ratio_is_labelled_and_within_the_axis(ratios: list[float | None]) -> None:
    figure = draw(["conv", "fc"], [1.0, 1.0], [1.0, 1.0], ratios, PHASES)
    axes = figure.axes[2]
    low, high = axes.get_xlim()
    assert low < 0.9e-3 and high > 1.1e-3
    assert all(low <= ratio <= high for ratio in ratios if ratio)
    legend = axes.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == [
        "usual: 0.001"
    ]
    for panel in figure.axes[:3]:
        start, end = panel.get_xlim()
        labelled = [t for t in panel.get_xticks() if start <= t <= end]
        assert len(labelled) >= 2


def test_without_times_the_picture_says_why() -> None:
    figure = draw(["fc"], [1.0], [1.0], [1.0], {})
    assert figure.axes[3].get_title("left") == "No times: the steps after this one diverge"
    assert not figure.axes[3].patches
