import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cnn_train.data.image_set import ImageSet
from cnn_train.figures.contact_sheet import MARGIN_PX, draw_contact_sheet


def numbered_images(labels: list[int], num_classes: int, shape=(3, 4, 6)) -> ImageSet:
    """Every image is one flat colour: its own number."""
    number_N = torch.arange(len(labels), dtype=torch.uint8)
    return ImageSet(
        number_N.reshape(-1, 1, 1, 1).expand(-1, *shape),
        torch.tensor(labels),
        tuple(f"class_${k}$" for k in range(num_classes)),
        tuple(f"train/{i}" for i in range(len(labels))),
    )


def pictured(figure) -> np.ndarray:
    (axes,) = figure.axes
    return axes.images[0].get_array()


def test_every_row_shows_the_first_examples_of_its_class_in_order():
    images = numbered_images([2, 0, 1, 0, 0, 2, 1, 0, 1], num_classes=3)
    figure = draw_contact_sheet(images, per_class=3)
    numbers = [[1, 3, 4], [2, 6, 8], [0, 5, 255]]  # class 2 has two examples: white
    sheet_HWC = pictured(figure)
    for row, expected in enumerate(numbers):
        for column, number in enumerate(expected):
            cell = sheet_HWC[5 * row : 5 * row + 4, 7 * column : 7 * column + 6]
            assert (cell == number).all()
    assert sheet_HWC.shape == (3 * 5 - 1, 3 * 7 - 1, 3)


def test_each_name_stands_beside_the_middle_of_its_row():
    figure = draw_contact_sheet(numbered_images([0, 1], num_classes=2), title="two $ classes")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["class_$0$", "class_$1$"]
    for row, tick in enumerate(axes.get_yticks()):
        assert tick == np.arange(5 * row, 5 * row + 4).mean()
    assert axes.get_title(loc="left") == "two $ classes"


def test_every_image_pixel_becomes_one_square_of_equal_device_pixels():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (20, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.arange(20) % 2
    images = ImageSet(pixels, labels, ("cat", "dog"), tuple(map(str, range(20))))
    figure = draw_contact_sheet(images, title="crisp")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[:-MARGIN_PX, :-MARGIN_PX, :3]
    expected = pictured(figure).repeat(3, axis=0).repeat(3, axis=1)
    height, width = expected.shape[:2]
    np.testing.assert_array_equal(drawn[-height:, -width:], expected)


@pytest.mark.parametrize(
    ("num_classes", "shape"), [(2, (1, 28, 28)), (100, (3, 8, 12)), (3, (3, 150, 90))]
)
def test_any_number_of_classes_and_any_image_size_can_be_drawn(num_classes, shape):
    images = numbered_images([k % num_classes for k in range(200)], num_classes, shape)
    figure = draw_contact_sheet(images, per_class=2, title="a title longer than the sheet is wide")
    width, height = figure.get_size_inches() * figure.dpi
    cells = figure.axes[0].get_window_extent()
    assert 0 < cells.x0 < cells.x1 < width
    assert 0 < cells.y0 < cells.y1 < height
    longer_side_px = max(shape[1:]) * cells.height / len(pictured(figure))
    assert 70 <= longer_side_px <= 97


def test_all_text_fits_into_the_figure():
    images = numbered_images([0, 1], num_classes=2)
    figure = draw_contact_sheet(images, per_class=1, title="A LONG TITLE IN WIDE CAPITALS, WWWWWW")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    tight = figure.get_tightbbox(canvas.get_renderer())  # inches
    width, height = figure.get_size_inches()
    assert 0 <= tight.x0 < tight.x1 <= width
    assert 0 <= tight.y0 < tight.y1 <= height


def test_a_caption_stands_below_each_image_that_is_shown_and_leaves_the_next_row_free():
    images = numbered_images([1, 0, 0, 1, 1], num_classes=2, shape=(3, 32, 32))
    captions = [f"{i}8 % automobile $" for i in range(5)]
    figure = draw_contact_sheet(images, per_class=2, captions=captions)
    (axes,) = figure.axes
    FigureCanvasAgg(figure).draw()
    found = {text.get_text(): text for text in axes.texts}
    assert list(found) == [f"{i}8 % automob…" for i in (1, 2, 0, 3)]
    sheet_HWC = pictured(figure)
    for i, text in enumerate(found.values()):
        row, column = divmod(i, 2)
        left, top = 33 * column, row * (len(sheet_HWC) - 32)
        assert (sheet_HWC[top : top + 32, left : left + 32] == (1, 2, 0, 3)[i]).all()
        box = text.get_window_extent().transformed(axes.transData.inverted())
        assert top + 31 < box.y1 and box.y0 < top + 32 + (len(sheet_HWC) - 64)
        assert box.x0 > left - 1.5 and box.x1 < left + 33.5
