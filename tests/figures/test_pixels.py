import torch

from cnn_train.figures.pixels import EXCERPT_PX, draw_pixels


def draw(image_CHW, seen_CHW):
    figure = draw_pixels(image_CHW, seen_CHW, title="c$a$t.png")
    figure.draw_without_rendering()
    return figure.axes


def random_image(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, shape, generator=generator, dtype=torch.uint8)


def test_the_written_numbers_are_those_of_the_framed_pixels():
    seen_CHW = random_image(3, 32, 32)
    axes = draw(random_image(3, 60, 80), seen_CHW)
    start = (32 - EXCERPT_PX) // 2
    part = slice(start, start + EXCERPT_PX)
    for channel, table in enumerate(axes[5:]):
        written = [int(text.get_text()) for text in table.texts]
        assert written == seen_CHW[channel, part, part].flatten().tolist()
        frame = axes[2 + channel].patches[0]
        assert frame.get_xy() == (start - 0.5, start - 0.5)
        assert frame.get_width() == EXCERPT_PX


def test_the_file_is_drawn_with_the_square_that_the_network_gets():
    file, network, *_ = draw(random_image(3, 60, 80), random_image(3, 32, 32))
    assert file.get_title("left") == "the file: 80 × 60"
    square = file.patches[0]
    assert (square.get_xy(), square.get_width(), square.get_height()) == ((10, 0), 60, 60)
    assert network.get_title("left") == "the network's 32 × 32"


def test_each_channel_is_shown_by_itself():
    seen_CHW = random_image(3, 8, 8)
    axes = draw(random_image(3, 9, 7), seen_CHW)
    for channel, panel in enumerate(axes[2:5]):
        assert (panel.images[0].get_array() == seen_CHW[channel, :, :, None].numpy()).all()
        assert len(axes[5 + channel].texts) == 64
