import pytest
import torch

from cnn_train.figures.predictions import PredictionPanel, draw_predictions

IMAGE_CHW = torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4)


def panel(values: tuple[float, ...], name: str = "cat.png") -> PredictionPanel:
    return PredictionPanel(IMAGE_CHW, name, ("cat", "a$b$", "[bold]")[: len(values)], values)


def test_the_image_is_what_the_network_saw_with_crisp_pixels():
    picture = draw_predictions([panel((0.7, 0.3))], probabilities=True, title="Prediction").axes[0]
    assert picture.images[0].get_array().tolist() == IMAGE_CHW.permute(1, 2, 0).tolist()
    assert picture.images[0].get_interpolation() == "nearest"


def test_probabilities_are_bars_in_percent_with_the_best_on_top():
    figure = draw_predictions([panel((0.7, 0.2, 0.1))], probabilities=True, title="Prediction")
    bars = figure.axes[1]
    assert [bar.get_width() for bar in bars.patches] == [0.7, 0.2, 0.1]
    assert [text.get_text() for text in bars.texts] == ["70.0 %", "20.0 %", "10.0 %"]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["cat", "a$b$", "[bold]"]
    assert bars.yaxis_inverted()
    assert bars.get_xlabel() == "probability"
    figure.draw_without_rendering()


def test_scores_are_called_scores():
    figure = draw_predictions([panel((2.0, -1.5))], probabilities=False, title="Prediction")
    bars = figure.axes[1]
    assert [text.get_text() for text in bars.texts] == ["2.00", "−1.50"]
    assert bars.get_xlabel() == "score (not a probability)"


@pytest.mark.parametrize(
    ("num_images", "shape"), [(1, (1, 1)), (3, (3, 1)), (4, (4, 1)), (10, (5, 2)), (30, (10, 3))]
)
def test_images_stand_in_a_grid_about_as_high_as_wide(num_images, shape):
    figure = draw_predictions([panel((0.7, 0.3))] * num_images, probabilities=True, title="x")
    spec = figure.axes[0].get_subplotspec().get_gridspec()
    assert (spec.nrows, spec.ncols / 2) == shape
    assert sum(axes.get_visible() for axes in figure.axes) == 2 * num_images
    assert max(150 * figure.get_size_inches()) <= 3000  # pixels


def test_every_image_is_named_by_the_end_of_its_path():
    panels = [panel((1.0,), name=f"{'deep/' * 30}{i}.png") for i in range(3)]
    figure = draw_predictions(panels, probabilities=True, title="Prediction")
    titles = [axes.get_title(loc="left") for axes in figure.axes[::2] if axes.get_visible()]
    assert [title[-5:] for title in titles] == ["0.png", "1.png", "2.png"]
    assert all(title.startswith("…") and len(title) <= 48 for title in titles)
