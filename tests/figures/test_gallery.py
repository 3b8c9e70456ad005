from itertools import product

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cnn_train.figures.gallery import (
    BAR_HEIGHT_PX,
    BAR_WIDTH_PX,
    INNER_GAP_PX,
    Scale,
    Section,
    Tile,
    arrange,
    draw_gallery,
    fit,
)

RED = torch.tensor([255, 0, 0], dtype=torch.uint8)


def picture(height: int = 4, width: int = 4) -> torch.Tensor:
    return RED.expand(height, width, 3).clone()


@pytest.mark.parametrize(("side_px", "zoom"), [(4, 1), (8, 2), (33, 8)])
def test_a_small_picture_is_enlarged_to_equal_squares(side_px: int, zoom: int) -> None:
    original_HWC = torch.randint(256, (4, 3, 3), dtype=torch.uint8)
    drawn_HWC = fit(original_HWC, side_px)
    assert drawn_HWC.shape == (4 * zoom, 3 * zoom, 3)
    for y, x in product(range(4 * zoom), range(3 * zoom)):
        assert torch.equal(drawn_HWC[y, x], original_HWC[y // zoom, x // zoom])


def test_a_picture_that_equal_squares_would_leave_small_is_brought_to_its_place() -> None:
    drawn_HWC = fit(picture(28, 28), 192)
    assert drawn_HWC.shape == (192, 192, 3) and (drawn_HWC == RED).all()
    assert fit(picture(4, 3), 11).shape == (11, 8, 3)


def test_a_large_picture_is_reduced_to_its_place() -> None:
    assert fit(picture(100, 50), 20).shape == (20, 10, 3)
    assert torch.equal(fit(picture(100, 50), 20)[5, 5], RED)


def test_pictures_of_a_tile_stand_in_a_grid_and_the_rest_stays_white() -> None:
    square_HWC = arrange([picture()] * 3, 2 * 8 + INNER_GAP_PX, room_for=4)
    is_red_HW = (square_HWC == RED).all(dim=2)
    cell, next_cell = slice(0, 8), slice(8 + INNER_GAP_PX, None)
    for rows, columns, red in (
        (cell, cell, True), (cell, next_cell, True), (next_cell, cell, True),
        (next_cell, next_cell, False),
    ):  # fmt: skip
        assert is_red_HW[rows, columns].all() == red
    assert int(is_red_HW.sum()) == 3 * 64
    assert (square_HWC[next_cell, next_cell] == 255).all()


def test_every_tile_is_drawn_under_its_title() -> None:
    tiles = [Tile(f"tile {i}", [picture(5, 5)]) for i in range(5)]
    sections = [Section("first $x$", tiles, num_columns=3), Section("second", tiles[:1], 3)]
    figure = draw_gallery(sections, "a$b$")
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["first $x$", *(f"tile {i}" for i in range(5)), "second", "tile 0"]
    sheet_HWC = torch.from_numpy(axes.images[0].get_array().data.copy())
    side_px = sections[0].tile_px
    assert side_px == 295  # 59 times five pixels
    assert int((sheet_HWC == RED).all(dim=2).sum()) == 6 * side_px**2
    figure.draw_without_rendering()


def test_one_pixel_of_the_sheet_is_one_pixel_of_the_file() -> None:
    figure = draw_gallery([Section("heading", [Tile("", [picture()])], 1)], "title")
    (axes,) = figure.axes
    height, width, _ = axes.images[0].get_array().shape
    box = axes.get_window_extent()
    assert (round(box.width), round(box.height)) == (width, height)


def test_a_scale_colours_its_ends_and_clips_what_lies_beyond() -> None:
    scale = Scale("value", -2.0, 2.0, "RdBu_r")
    low, beyond, middle, high = scale.colour(torch.tensor([[-2.0, -9.0, 0.0, 2.0]]))[0]
    assert torch.equal(low, beyond)
    assert low[2] > low[0] and high[0] > high[2]  # blue below, red above
    assert (middle > 240).all()


def test_a_colour_bar_shows_the_whole_scale_with_its_numbers() -> None:
    scale = Scale("activation", 0.0, 3.25)
    section = Section("maps", [Tile("", [scale.colour(torch.zeros(4, 4))])], 1, scale=scale)
    (axes,) = draw_gallery([section], "title").axes
    assert {"activation  0", " 3.25"} <= {text.get_text() for text in axes.texts}
    sheet_HWC = torch.from_numpy(axes.images[0].get_array().data.copy())
    for value in (0.0, 3.25):
        colour = scale.colour(torch.tensor([[value]]))[0, 0]
        is_colour_HW = (sheet_HWC[:60] == colour).all(dim=2)
        assert is_colour_HW.any(dim=1).sum() == BAR_HEIGHT_PX
        assert is_colour_HW.any(dim=0).sum() < BAR_WIDTH_PX / 4


def test_a_colour_bar_that_cuts_values_off_says_so_at_its_ends() -> None:
    scale = Scale("activation", -2.0, 2.0, "RdBu_r", cuts=(True, True))
    section = Section("maps", [Tile("", [picture()])], 1, scale=scale)
    (axes,) = draw_gallery([section], "title").axes
    assert {"activation  ≤ −2", "≥ 2"} <= {text.get_text().strip() for text in axes.texts}


def test_no_text_of_a_gallery_overlaps_another_or_leaves_the_sheet() -> None:
    scale = Scale("relative to each map", -1.0, 1.0, "RdBu_r")
    tiles = [Tile("a title that is far too long for its tile " * 2, [picture()])] * 16
    heading = "a heading that is rather long: 512 channels of 32 × 32 units; 40 never active"
    sections = [Section(heading, tiles, 8, scale=scale)] * 2
    figure = draw_gallery(sections, "A title")
    canvas = FigureCanvasAgg(figure)
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.axes[0].texts]
    whole = figure.bbox
    for i, box in enumerate(boxes):
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1
        assert not any(box.overlaps(other) for other in boxes[:i])
