"""Images that stay on the host: indexed as a tensor is, and fetched ahead by one thread."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from cnn_train.data.augment.settings import AugmentConfig
from cnn_train.data.batches import TrainingBatches, evaluation_batches, plan_epoch
from cnn_train.data.host_images import NUM_AHEAD, HostImages, cut
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.data.twins import find_twins

PIXELS = torch.arange(7 * 3 * 4 * 4).reshape(7, 3, 4, 4).to(torch.uint8)
ROWS = torch.tensor([5, 0, 3, 3, 6])


@pytest.fixture
def host() -> HostImages:
    return HostImages(PIXELS, ROWS, "a test")


@pytest.fixture
def pairs(make_images: Callable[..., ImageSet]) -> tuple[ImageSet, ImageSet]:
    """The same images as a tensor and on the host."""
    images = make_images(20)
    return images, images.on_host("a test")


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_train.data.host_images.PIECE_BYTES", 3 * 8 * 8 * 6)


@pytest.mark.parametrize(
    "index",
    [2, slice(1, 4), slice(0, 5, 2), slice(0, 0), torch.tensor([4, 1]), torch.arange(5) > 2],
    ids=str,
)
def test_it_is_indexed_as_the_tensor_of_its_rows(host: HostImages, index: object) -> None:
    expected = PIXELS[ROWS]
    assert torch.equal(host[index], expected[index])
    assert len(host) == 5
    assert host.shape == expected.shape
    assert all(map(torch.equal, host.split(2), expected.split(2)))
    assert torch.equal(host.to(torch.device("cpu")), expected)


def test_a_part_of_it_holds_no_pixels_of_its_own(pairs: tuple[ImageSet, ImageSet]) -> None:
    chosen, on_host = (images.select([9, 2]) for images in pairs)
    assert on_host.images_NCHW.stored_NCHW is pairs[1].images_NCHW.stored_NCHW
    assert torch.equal(on_host.images_NCHW[:], chosen.images_NCHW)
    assert on_host.on_host("again").images_NCHW.reason == "a test"


def test_what_is_measured_piece_by_piece_is_that_of_the_whole(
    pairs: tuple[ImageSet, ImageSet], small_pieces: None
) -> None:
    whole, on_host = (images.select(torch.arange(19, 2, -1)) for images in pairs)
    assert [len(piece) for piece in cut(on_host.images_NCHW)] == [6, 6, 5]
    assert on_host.fingerprint() == whole.fingerprint()
    assert Normalization.of(on_host.images_NCHW) == Normalization.of(whole.images_NCHW)
    pixels_CN = whole.images_NCHW.double().transpose(0, 1).flatten(1) / 255
    found = Normalization.of(on_host.images_NCHW)
    torch.testing.assert_close(torch.tensor(found.mean).double(), pixels_CN.mean(1))
    images = ImageSet(on_host.images_NCHW, whole.labels_N, whole.class_names, whole.names)
    assert torch.equal(images.hashes_N, whole.hashes_N)
    assert list(find_twins({"a": images}, 3)) == list(find_twins({"a": whole}, 3))


def test_minibatches_of_the_host_are_those_of_the_device(pairs: tuple[ImageSet, ImageSet]) -> None:
    normalization = Normalization((0.5,) * 3, (0.2,) * 3)
    augment = AugmentConfig(flip="alternating", translate=2, cutout=3).build()
    plan = plan_epoch(20, 3)
    resident, fetched = (
        [
            *TrainingBatches(images, normalization, augment, 0, lambda epoch: plan).epoch(1, 2),
            *evaluation_batches(images, normalization, 6),
        ]
        for images in pairs
    )
    assert len(resident) == len(fetched) == 5 + 4
    for one, other in zip(resident, fetched, strict=True):
        assert torch.equal(one.images_BCHW, other.images_BCHW)
        assert torch.equal(one.labels_B, other.labels_B)


def test_at_most_two_minibatches_are_fetched_ahead_and_no_thread_is_left(host: HostImages) -> None:
    before, asked = threading.active_count(), []

    def indices() -> Iterator[Tensor]:
        for i in range(5):
            asked.append(i)
            yield torch.tensor([i])

    fetched = host.ahead(indices(), pinned=False)
    assert torch.equal(next(fetched)[1], host[:1])
    assert len(asked) == 1 + NUM_AHEAD == 3
    assert threading.active_count() == before + 1
    fetched.close()
    assert threading.active_count() == before
    assert [index.item() for index, _ in host.ahead(indices(), pinned=False)] == [0, 1, 2, 3, 4]
    assert threading.active_count() == before


def test_an_error_of_the_thread_is_raised_where_its_minibatch_is_due(host: HostImages) -> None:
    before = threading.active_count()
    fetched = host.ahead([torch.tensor([0]), torch.tensor([5])], pinned=False)
    next(fetched)
    with pytest.raises(IndexError):
        next(fetched)
    assert threading.active_count() == before
