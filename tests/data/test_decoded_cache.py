"""The cache of decoded images: equal after a round trip, and never trusted when damaged."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torture_campaign.children import wait_until
from torture_campaign.hostile.caches import HEADERS, LINES, PLACES, seal

from cnn_train.data.dataset import DataAccess, KnownImages
from cnn_train.data.decoded_cache import Origin, load_decoded, load_or_decode, save_decoded
from cnn_train.data.image_set import ImageSet
from cnn_train.data.images.square import FileFacts
from cnn_train.errors import DataError

KNOWN = KnownImages((3, 4, 6), ("cat", "dög", 'a "b"'))


@pytest.fixture
def images() -> ImageSet:
    pixels = torch.randint(0, 256, (5, 3, 4, 6), dtype=torch.uint8)
    names = tuple(f"train/größe\n{index}.png" for index in range(5))
    return ImageSet(pixels, torch.tensor([0, 2, 1, 0, 2]), KNOWN.class_names, names)


@pytest.fixture
def path(tmp_path: Path, images: ImageSet) -> Path:
    path = tmp_path / "new" / "folder" / "cache.bin"
    save_decoded(path, images, Origin("source 1", "decoder 2"))
    return path


def test_an_image_set_survives_the_round_trip(path, images):
    found = load_decoded(path, KNOWN)
    loaded = found.images
    assert found.origin == Origin("source 1", "decoder 2")
    assert torch.equal(loaded.images_NCHW, images.images_NCHW)
    assert torch.equal(loaded.labels_N, images.labels_N)
    assert torch.equal(loaded.known_hashes_N, images.hashes_N)
    assert (loaded.class_names, loaded.names) == (images.class_names, images.names)
    assert loaded.fingerprint() == images.fingerprint()


def test_a_loaded_set_can_be_changed_without_touching_the_file(path):
    load_decoded(path, KNOWN).images.images_NCHW.zero_()
    assert load_decoded(path, KNOWN).images.images_NCHW.any()


def test_a_mapped_set_is_the_set_that_is_read(path, images):
    loaded = load_decoded(path, KNOWN, mapped=True).images
    assert torch.equal(loaded.images_NCHW, images.images_NCHW)
    assert torch.equal(loaded.labels_N, images.labels_N)
    assert loaded.fingerprint() == images.fingerprint()


@pytest.mark.parametrize("damage", ["a bit", "the end"])
def test_a_damaged_file_is_not_mapped(path, damage):
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 4] if damage == "a bit" else []))
    assert load_decoded(path, KNOWN, mapped=True) is None


def test_a_mapped_set_outlives_the_file_that_another_process_replaces(path, images):
    loaded = load_decoded(path, KNOWN, mapped=True).images
    save_decoded(path, with_one_bit_flipped(images, 3), Origin("source 2"))
    assert loaded.fingerprint() == images.fingerprint()


def test_an_absent_cache_is_none(tmp_path):
    assert load_decoded(tmp_path / "absent", KNOWN) is None


def test_every_single_flipped_bit_is_noticed(path):
    good = path.read_bytes()
    for offset in range(len(good)):
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 4]) + good[offset + 1 :])
        assert load_decoded(path, KNOWN) is None, offset


def test_every_truncation_is_noticed(path):
    good = path.read_bytes()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        assert load_decoded(path, KNOWN) is None, size


def test_saving_leaves_no_temporary_file(path, images):
    save_decoded(path, images, Origin("source 3"))
    assert [entry.name for entry in path.parent.iterdir()] == ["cache.bin"]


class Reader:
    """Decodes a set as often as it is asked to; its messages go to ``notices``."""

    def __init__(self, path: Path, images: ImageSet) -> None:
        self.path, self.images = path, images
        self.num_decoded = 0
        self.notices: list[str] = []

    def decode(self) -> ImageSet:
        self.num_decoded += 1
        return self.images

    def load(self, files: str = "source 1", decoder: str = "decoder 2", **access: Any) -> ImageSet:
        settings = DataAccess(self.path.parent, notice=self.notices.append, **access)
        return load_or_decode(self.path, Origin(files, decoder), KNOWN, self.decode, settings)


@pytest.fixture
def reader(path: Path, images: ImageSet) -> Reader:
    return Reader(path, images)


def test_a_set_of_the_same_origin_is_not_decoded_again(reader, images):
    assert reader.load().fingerprint() == images.fingerprint()
    assert (reader.num_decoded, reader.notices) == (0, [])


@pytest.mark.parametrize("origin", [("source 2", "decoder 2"), ("source 1", "decoder 3")])
def test_a_set_of_another_origin_is_decoded_once_and_kept(reader, origin):
    reader.load(*origin)
    reader.load(*origin)
    assert (reader.num_decoded, reader.notices) == (1, [])


def parts_of(path: Path) -> tuple[dict[str, Any], bytes]:
    line, content = path.read_bytes()[64:].split(b"\n", 1)
    return json.loads(line), content


def test_a_file_without_hashes_as_older_releases_wrote_it_is_decoded_again(reader):
    header, content = parts_of(reader.path)
    del header["hashes"]
    reader.path.write_bytes(seal(json.dumps(header).encode(), b"\n", content))
    reader.load()
    reader.load()
    assert (reader.num_decoded, reader.notices) == (1, [])


def with_one_bit_flipped(images: ImageSet, index: int) -> ImageSet:
    pixels = images.images_NCHW.clone()
    pixels[index, 0, 0, 0] ^= 1
    return replace(images, images_NCHW=pixels)


def test_images_that_changed_with_their_files_are_named_and_used(reader, images):
    reader.images = with_one_bit_flipped(images, 3)
    assert reader.load("source 2").fingerprint() == reader.images.fingerprint()
    assert reader.notices == [r"changed since they were first read: train/größe\n3.png"]


def test_verification_refuses_an_image_that_changed_behind_its_size_and_time(reader, images):
    assert reader.load(verify=True).fingerprint() == images.fingerprint()
    reader.images = with_one_bit_flipped(images, 3)
    for _ in range(2):  # what was kept stays what was kept
        with pytest.raises(DataError, match=r"not what they were .*3\.png; .*remove .*\.bin"):
            reader.load(verify=True)
    reader.path.unlink()
    assert reader.load(verify=True).fingerprint() == reader.images.fingerprint()


def test_what_another_decoder_made_is_not_compared(reader, images):
    reader.images = with_one_bit_flipped(images, 3)
    reader.load(decoder="decoder 3", verify=True)
    assert reader.notices == []


def test_a_second_reader_waits_for_the_first_and_decodes_nothing(reader, images):
    second, begun = Reader(reader.path, images), threading.Event()

    def decode() -> ImageSet:
        begun.set()
        wait_until(lambda: bool(second.notices), "a second reader")
        return images

    reader.decode = decode
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(reader.load, "source 2")
        assert begun.wait(60)
        assert second.load("source 2").fingerprint() == first.result().fingerprint()
    assert second.notices == ["another process is decoding the same images; waiting for it"]
    assert second.num_decoded == 0


def test_where_no_lock_can_be_made_every_process_decodes(reader, monkeypatch):
    def refuse(*arguments: object, **options: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    reader.load("source 2")
    assert reader.num_decoded == 1


def loads_again(reader: Reader) -> bool:
    """Tell whether the images are decoded, with no more than a notice, and kept again."""
    good = reader.images.fingerprint()
    same = [reader.load().fingerprint() == good for _ in range(2)]
    return same == [True, True] and reader.num_decoded == 1 and len(reader.notices) <= 1


@pytest.fixture
def folder_cache(tmp_path: Path) -> Path:
    """A good cache of the four images of 16 pixels that the senseless headers are made for."""
    pixels = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
    facts = FileFacts(4, "16×16", 16, 0, 0, None)
    names = tuple(f"train/{i}.png" for i in range(4))
    labels = torch.tensor([0, 1, 0, 1])
    images = ImageSet(pixels, labels, ("cat", "dog"), names, files=facts)
    save_decoded(tmp_path / "cache.bin", images, Origin("source 1"))
    return tmp_path / "cache.bin"


@pytest.mark.parametrize("name", [*HEADERS, *LINES, "a label too large", "half of the content"])
def test_a_right_hash_makes_no_sense_of_a_senseless_file(folder_cache, name):
    known = KnownImages((3, 16, 16), ("cat", "dog"))
    assert load_decoded(folder_cache, known).origin.files == "source 1"
    header, content = parts_of(folder_cache)
    HEADERS.get(name, lambda header: None)(header)
    if name == "a label too large":
        content = b"\2" + content[1:]
    if name == "half of the content":
        content = content[:1000]
    line = LINES.get(name, json.dumps(header).encode() + b"\n")
    folder_cache.write_bytes(seal(line, content))
    found = load_decoded(folder_cache, known)
    assert found is None or found.origin.files == ""  # either way, it is decoded again


@pytest.mark.parametrize("place", PLACES)
def test_whatever_lies_in_its_place_is_replaced(reader, place):
    good = reader.path.read_bytes()
    reader.path.unlink()
    PLACES[place](reader.path, good)
    if reader.path.is_dir():
        assert reader.load().fingerprint() == reader.images.fingerprint()  # cannot be kept
        assert len(reader.notices) == 2
    else:
        assert loads_again(reader)
