"""CIFAR-10 in both published forms, on small archives that are built like the real ones."""

import contextlib
import gzip
import io
import os
import pickle
import re
import struct
import tarfile
import tempfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnn_train.data.cifar10 import archive
from cnn_train.data.cifar10 import dataset as cifar10
from cnn_train.data.cifar10.batch_files import decode_binary, decode_pickled
from cnn_train.data.cifar10.dataset import CIFAR10Config
from cnn_train.data.cifar10.releases import (
    BINARY_RELEASE,
    CLASS_NAMES,
    PYTHON_RELEASE,
    RELEASES,
    BatchFile,
    Release,
)
from cnn_train.data.dataset import DataAccess
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import DataError

IMAGES_PER_BATCH = 20
NUM_TRAIN = 5 * IMAGES_PER_BATCH
FORMS = {"python": PYTHON_RELEASE, "binary": BINARY_RELEASE}


def python2_string(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


def write_pickled(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    """Spell a batch as Python 2's cPickle (protocol 2) did, opcode by opcode."""
    raw = pixels.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        + b"(K\x01M" + struct.pack("<H", len(pixels)) + b"M\x00\x0c\x86"
        + b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        + b"(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00tb"
        + b"\x89T" + struct.pack("<I", len(raw)) + raw + b"tb"
    )  # fmt: skip
    items = (
        python2_string(b"batch_label") + python2_string(b"training batch 1 of 5")
        + python2_string(b"labels") + b"](" + b"".join(b"K" + bytes([y]) for y in labels) + b"e"
        + python2_string(b"data") + array
    )  # fmt: skip
    return b"\x80\x02}(" + items + b"u."


def write_binary(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    return np.hstack([labels[:, None], pixels]).astype(np.uint8).tobytes()


WRITERS = {"python": write_pickled, "binary": write_binary}


def make_batches(num_batches: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (num_batches, IMAGES_PER_BATCH, 3072), dtype=np.uint8)
    labels = generator.integers(0, 10, (num_batches, IMAGES_PER_BATCH), dtype=np.uint8)
    return list(zip(pixels, labels, strict=True))


BATCHES = make_batches()


def describe(release: Release, contents: list[bytes]) -> Release:
    """Give a release the sizes and hashes of ``contents`` in place of the published ones."""
    names = [batch.name for batch in release.train + release.test]
    files = tuple(
        BatchFile(name, len(content), sha256(content).hexdigest())
        for name, content in zip(names, contents, strict=True)
    )
    return replace(release, train=files[:5], test=files[5:], images_per_batch=IMAGES_PER_BATCH)


def contents_of(form: str) -> list[bytes]:
    return [WRITERS[form](pixels, labels) for pixels, labels in BATCHES]


def file_member(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def members_of(form: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    """List the members in the scrambled order of the real archive: the test batch is early."""
    release, contents = FORMS[form], contents_of(form)
    directory = tarfile.TarInfo(release.directory + "/")
    directory.type = tarfile.DIRTYPE
    names = [batch.name for batch in release.train + release.test]
    files = [
        file_member(f"{release.directory}/{names[i]}", contents[i]) for i in (3, 5, 2, 1, 4, 0)
    ]
    return [
        (directory, b""),
        file_member(f"{release.directory}/readme.html", b"<html></html>"),
        *files,
    ]


def write_archive(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(pack(members), 1))
    return path


def pack(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Pack without compressing, so that single bytes can be changed."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive_file:
        for member, content in members:
            archive_file.addfile(member, io.BytesIO(content))
    return file.getvalue()


def write_directory(directory: Path, form: str) -> Path:
    directory.mkdir(parents=True)
    release = FORMS[form]
    for batch, content in zip(release.train + release.test, contents_of(form), strict=True):
        (directory / batch.name).write_bytes(content)
    return directory


UNPACKED = pack(members_of("binary"))
HEADERS = [i for i in range(0, len(UNPACKED), 512) if UNPACKED[i + 257 : i + 262] == b"ustar"]


@pytest.fixture(autouse=True)
def small_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    small = tuple(describe(FORMS[form], contents_of(form)) for form in FORMS)
    monkeypatch.setattr(cifar10, "RELEASES", small)


@pytest.fixture
def access(tmp_path: Path) -> DataAccess:
    return DataAccess(tmp_path / "data", offline=True)


def load(path: Path, split: str, access: DataAccess) -> ImageSet:
    config = CIFAR10Config(path=path)
    return config.load_train(access) if split == "train" else config.load_test(access, CLASS_NAMES)


def expected_images(split: str) -> torch.Tensor:
    chosen = BATCHES[:5] if split == "train" else BATCHES[5:]
    return torch.cat([torch.tensor(pixels).view(-1, 3, 32, 32) for pixels, _ in chosen])


def expected_labels(split: str) -> torch.Tensor:
    chosen = BATCHES[:5] if split == "train" else BATCHES[5:]
    return torch.cat([torch.tensor(labels) for _, labels in chosen]).long()


def place_archive(form: str, data_dir: Path) -> CIFAR10Config:
    write_archive(data_dir / FORMS[form].archive.name, members_of(form))
    return CIFAR10Config()


def place_directory(form: str, data_dir: Path) -> CIFAR10Config:
    write_directory(data_dir / FORMS[form].directory, form)
    return CIFAR10Config()


def own_archive(form: str, data_dir: Path) -> CIFAR10Config:
    return CIFAR10Config(path=write_archive(data_dir.parent / "mine.tgz", members_of(form)))


def own_directory(form: str, data_dir: Path) -> CIFAR10Config:
    return CIFAR10Config(path=write_directory(data_dir.parent / "unpacked", form))


def parent_of_own_directory(form: str, data_dir: Path) -> CIFAR10Config:
    write_directory(data_dir.parent / "p" / FORMS[form].directory, form)
    return CIFAR10Config(path=data_dir.parent / "p")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "place", [place_archive, place_directory, own_archive, own_directory, parent_of_own_directory]
)
def test_both_forms_are_read_packed_and_unpacked_in_the_official_order(access, form, place):
    config = place(form, access.data_dir)
    for _ in range(2):  # decoded, then from the cache
        train = config.load_train(access)
        test = config.load_test(access, train.class_names)
        assert torch.equal(train.images_NCHW, expected_images("train"))
        assert torch.equal(train.labels_N, expected_labels("train"))
        assert torch.equal(test.images_NCHW, expected_images("test"))
        assert torch.equal(test.labels_N, expected_labels("test"))
        assert train.class_names == CLASS_NAMES
        assert (train.names[17], test.names[3]) == ("train/00017", "test/00003")


def test_torchvision_reads_the_same_images_and_labels(access, monkeypatch):
    torchvision_cifar10 = pytest.importorskip("torchvision.datasets").CIFAR10
    config = place_directory("python", access.data_dir)
    meta = access.data_dir / PYTHON_RELEASE.directory / "batches.meta"
    meta.write_bytes(pickle.dumps({"label_names": list(CLASS_NAMES)}))
    monkeypatch.setattr(torchvision_cifar10, "_check_integrity", lambda self: True)
    monkeypatch.setitem(torchvision_cifar10.meta, "md5", None)
    theirs = torchvision_cifar10(access.data_dir, train=True)
    ours = config.load_train(access)
    assert np.array_equal(ours.images_NCHW.permute(0, 2, 3, 1).numpy(), theirs.data)
    assert ours.labels_N.tolist() == theirs.targets


def test_the_file_names_are_those_that_torchvision_checks():
    torchvision_cifar10 = pytest.importorskip("torchvision.datasets").CIFAR10
    for ours, theirs in (
        (PYTHON_RELEASE.train, torchvision_cifar10.train_list),
        (PYTHON_RELEASE.test, torchvision_cifar10.test_list),
    ):
        assert [batch.name for batch in ours] == [name for name, _ in theirs]
    assert PYTHON_RELEASE.directory == torchvision_cifar10.base_folder
    assert torchvision_cifar10.url in PYTHON_RELEASE.archive.urls


def test_the_published_facts_are_well_formed():
    hashes = [batch.sha256 for release in RELEASES for batch in release.train + release.test]
    hashes += [release.archive.sha256 for release in RELEASES]
    assert len(set(hashes)) == 14
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hashes)
    binary = BINARY_RELEASE.train + BINARY_RELEASE.test
    assert {batch.num_bytes for batch in binary} == {10_000 * (1 + 3 * 32 * 32)}
    for release in RELEASES:
        assert all(url.startswith("https://") for url in release.archive.urls)
        assert all(f"/{release.archive.name}" in url for url in release.archive.urls)
        assert release.archive.allowed_schemes == ("https",)


def test_the_classes_stand_in_the_official_order():
    assert " ".join(CLASS_NAMES) == ("airplane automobile bird cat deer dog frog horse ship truck")


@pytest.mark.parametrize("form", FORMS)
def test_a_directory_needs_only_the_split_that_is_loaded(access, tmp_path, form):
    release = FORMS[form]
    for split, others in (("train", release.test), ("test", release.train)):
        directory = write_directory(tmp_path / split, form)
        for batch in others:
            (directory / batch.name).unlink()
        assert torch.equal(load(directory, split, access).images_NCHW, expected_images(split))


@pytest.mark.parametrize(("split", "absent"), [("train", "test_batch"), ("test", "data_batch")])
def test_an_archive_needs_only_the_split_that_is_loaded(access, tmp_path, split, absent):
    members = [member for member in members_of("python") if absent not in member[0].name]
    path = write_archive(tmp_path / "part.tar.gz", members)
    assert torch.equal(load(path, split, access).images_NCHW, expected_images(split))


def test_training_never_opens_the_test_batch(access):
    config = place_directory("binary", access.data_dir)
    test_batch = access.data_dir / BINARY_RELEASE.directory / "test_batch.bin"
    os.mkfifo(test_batch.with_name("pipe"))  # opening it to read would hang for ever
    test_batch.unlink()
    test_batch.with_name("pipe").rename(test_batch)
    assert len(config.load_train(access)) == NUM_TRAIN


def test_an_archive_is_used_where_the_unpacked_directory_lacks_the_split(access):
    place_archive("python", access.data_dir)
    config = place_directory("python", access.data_dir)
    (access.data_dir / PYTHON_RELEASE.directory / "test_batch").unlink()
    assert len(config.load_test(access, CLASS_NAMES)) == IMAGES_PER_BATCH


def flip_a_bit(path: Path, offset: int) -> None:
    """Damage a file as a bad disk does: size and modification time stay."""
    state = path.stat()
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("place", [place_archive, place_directory])
def test_a_flipped_bit_is_found_on_the_first_load(access, place):
    config = place("binary", access.data_dir)
    for path in access.data_dir.rglob("*data_batch_3.bin"):
        flip_a_bit(path, 1000)
    for path in access.data_dir.glob("*.tar.gz"):
        flip_a_bit(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"damaged|not a readable"):
        config.load_train(access)


def test_a_changed_source_is_read_again(access):
    config = place_directory("binary", access.data_dir)
    config.load_train(access)
    batch = access.data_dir / BINARY_RELEASE.directory / "data_batch_3.bin"
    batch.write_bytes(bytes(batch.stat().st_size))
    with pytest.raises(DataError, match=r"data_batch_3\.bin is damaged"):
        config.load_train(access)


def test_nothing_but_the_cache_and_its_lock_is_written(access):
    config = place_archive("python", access.data_dir)
    config.load_train(access)
    files = {path.name for path in access.data_dir.rglob("*") if path.is_file()}
    (cache,) = (access.data_dir / "decoded").glob("*.bin")
    assert files == {PYTHON_RELEASE.archive.name, cache.name, f".{cache.name}.lock"}


def special_member(name: str, target: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def bomb(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return file_member(name, bytes(3_000_000))


BATCH_NAME = "cifar-10-batches-bin/data_batch_1.bin"
UNSAFE = {
    "parent": (file_member("../evil.txt", b"evil"), "points out of the archive"),
    "nested parent": (file_member("cifar-10-batches-bin/../../evil", b"e"), "points out of"),
    "absolute": (file_member("/tmp/evil.cnn-train", b"evil"), "points out of the archive"),
    "backslash": (file_member("..\\evil.txt", b"evil"), "points out of the archive"),
    "symlink": (special_member(BATCH_NAME, "/etc/passwd", tarfile.SYMTYPE), "is a link or"),
    "hard link": (special_member(BATCH_NAME, "/etc/passwd", tarfile.LNKTYPE), "is a link or"),
    "device": (special_member("cifar-10-batches-bin/d", "", tarfile.CHRTYPE), "or a device"),
    "pipe": (special_member("cifar-10-batches-bin/p", "", tarfile.FIFOTYPE), "or a device"),
    "bomb": (bomb("cifar-10-batches-bin/zeros"), "unpacks to more than"),
    "batch too long": (bomb(BATCH_NAME), "holds 3000000 bytes, expected 61460"),
}


@pytest.mark.parametrize("where", ["first", "last"])
@pytest.mark.parametrize("fault", UNSAFE)
def test_an_unsafe_archive_is_refused_and_writes_nothing(
    access, tmp_path, monkeypatch, fault, where
):
    most = 10_000_000 if fault == "batch too long" else 2_500_000
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", most)
    bad, complaint = UNSAFE[fault]
    good = members_of("binary")
    members = [good[0], bad, *good[1:]] if where == "first" else [*good, bad]
    path = write_archive(tmp_path / "unsafe.tar.gz", members)
    with pytest.raises(DataError, match=r"unsafe\.tar\.gz") as failure:
        CIFAR10Config(path=path).load_train(access)
    assert complaint in str(failure.value)
    files = {found for found in tmp_path.rglob("*") if found.is_symlink() or not found.is_dir()}
    (lock,) = (access.data_dir / "decoded").iterdir()
    assert files == {path, lock}
    assert lock.read_bytes() == b""
    assert not Path("/tmp/evil.cnn-train").exists()


def test_an_endless_list_of_members_is_refused(access, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    path = write_archive(tmp_path / "many.tar.gz", members_of("binary"))
    with pytest.raises(DataError, match="more than 5 members"):
        CIFAR10Config(path=path).load_train(access)


def test_an_extension_header_of_nonsense_is_a_damaged_archive(access, tmp_path):
    strange, content = file_member("cifar10", b"")
    strange.pax_headers = {"GNU.sparse.map": "nonsense"}  # tarfile itself trips over it
    path = write_archive(tmp_path / "sparse.tar.gz", [(strange, content), *members_of("binary")])
    with pytest.raises(DataError, match=r"sparse\.tar\.gz: not a readable \.tar\.gz archive"):
        CIFAR10Config(path=path).load_train(access)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_changed_headers_of_an_archive_never_give_other_images(data):
    content = bytearray(UNPACKED)
    start = data.draw(st.sampled_from(HEADERS))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)))):
        content[start + place] = value
    header = content[start : start + 512]
    checksum = sum(header[:148]) + 8 * 32 + sum(header[156:])  # POSIX ustar: as if it were spaces
    content[start + 148 : start + 156] = b"%06o\0 " % checksum
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mine.tar.gz")
        path.write_bytes(gzip.compress(bytes(content), 1))
        with contextlib.suppress(DataError):
            read = CIFAR10Config(path=path).load_train(DataAccess(Path(folder), offline=True))
            assert torch.equal(read.images_NCHW, expected_images("train"))


@pytest.mark.parametrize("keep", [0, 1, 100, 10_000, 200_000])
def test_a_truncated_archive_is_reported(access, tmp_path, keep):
    path = write_archive(tmp_path / "cut.tar.gz", members_of("python"))
    os.truncate(path, keep)
    with pytest.raises(DataError, match=r"cut\.tar\.gz: not a"):
        CIFAR10Config(path=path).load_train(access)


@pytest.mark.parametrize("content", [b"<html>log in</html>", b"PK\x03\x04", b"\x1f\x8b rubbish"])
def test_a_file_that_is_no_archive_is_reported(access, tmp_path, content):
    (tmp_path / "no.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"no\.tar\.gz: not a readable"):
        CIFAR10Config(path=tmp_path / "no.tar.gz").load_train(access)


def test_an_archive_of_something_else_is_reported(access, tmp_path):
    path = write_archive(tmp_path / "x.tar.gz", [file_member("cifar-100-python/train", b"x")])
    with pytest.raises(DataError, match="it holds cifar-100-python, expected cifar-10-batches-py"):
        CIFAR10Config(path=path).load_train(access)


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_missing_batch_is_named(access, tmp_path, is_packed):
    path = write_directory(tmp_path / "mine", "python")
    (path / "data_batch_4").unlink()
    if is_packed:
        members = [m for m in members_of("python") if not m[0].name.endswith("data_batch_4")]
        path = write_archive(tmp_path / "x.tar.gz", members)
    with pytest.raises(DataError, match="data_batch_4 is missing"):
        CIFAR10Config(path=path).load_train(access)


def test_an_archive_that_holds_a_batch_twice_is_refused(access, tmp_path):
    members = members_of("python")
    path = write_archive(tmp_path / "x.tar.gz", [*members, members[-1]])
    with pytest.raises(DataError, match="data_batch_1 is in the archive twice"):
        CIFAR10Config(path=path).load_train(access)


def test_a_truncated_batch_is_reported_with_both_sizes(access, tmp_path):
    directory = write_directory(tmp_path / "mine", "binary")
    os.truncate(directory / "data_batch_2.bin", 1000)
    with pytest.raises(DataError, match=r"data_batch_2\.bin holds 1000 bytes, expected 61460"):
        CIFAR10Config(path=directory).load_train(access)


@pytest.mark.parametrize(
    ("name", "complaint"), [("absent", "does not exist"), ("", "holds no CIFAR-10: looked for")]
)
def test_a_path_without_cifar10_is_reported(access, tmp_path, name, complaint):
    with pytest.raises(DataError, match=complaint):
        CIFAR10Config(path=tmp_path / name).load_train(access)


def test_offline_says_where_it_looked_and_how_to_get_it(access):
    with pytest.raises(DataError) as failure:
        CIFAR10Config().load_train(access)
    places = str(access.data_dir), "cifar-10-batches-py", "cifar-10-binary.tar.gz", "https://"
    assert all(place in str(failure.value) for place in places)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil-was-here",)


def with_batch_1(content: bytes, monkeypatch: pytest.MonkeyPatch, directory: Path) -> Path:
    """Publish ``content`` as the first pickled batch, hash and all."""
    contents = [content, *contents_of("python")[1:]]
    monkeypatch.setattr(cifar10, "RELEASES", (describe(PYTHON_RELEASE, contents),))
    write_directory(directory, "python")
    (directory / "data_batch_1").write_bytes(content)
    return directory


PICKLED_ARRAY = write_pickled(*BATCHES[0])
EVIL_PICKLES = {
    "reduce": pickle.dumps(Evil(), protocol=2),
    "in a list": pickle.dumps({b"data": [Evil()], b"labels": []}, protocol=2),
    "protocol 4": pickle.dumps(Evil(), protocol=4),
    "one odd global": PICKLED_ARRAY.replace(b"cnumpy\ndtype\n", b"cbuiltins\neval\n"),
    "numpy's own loader": PICKLED_ARRAY.replace(b"cnumpy\ndtype\n", b"cnumpy\nload\n"),
    "an instance": b"(ios\nsystem\n.",
}


@pytest.mark.parametrize("fault", EVIL_PICKLES)
def test_code_in_a_pickle_is_refused_and_not_run(access, tmp_path, monkeypatch, fault):
    monkeypatch.chdir(tmp_path)
    path = with_batch_1(EVIL_PICKLES[fault], monkeypatch, tmp_path / "mine")
    with pytest.raises(DataError, match=r"data_batch_1: refused: the pickle asks for"):
        CIFAR10Config(path=path).load_train(access)
    assert not (tmp_path / "evil-was-here").exists()


def test_a_pickle_with_another_hash_is_not_even_parsed(access, tmp_path):
    directory = write_directory(tmp_path / "mine", "python")
    good = (directory / "data_batch_1").read_bytes()
    evil = EVIL_PICKLES["reduce"]
    (directory / "data_batch_1").write_bytes(evil + bytes(len(good) - len(evil)))
    with pytest.raises(DataError, match="data_batch_1 is damaged"):
        CIFAR10Config(path=directory).load_train(access)


BROKEN_PICKLES = {
    "empty": b"",
    "text": b"hello",
    "cut": PICKLED_ARRAY[:5000],
    "a list": pickle.dumps([1, 2], protocol=2),
    "no data": pickle.dumps({b"labels": [1]}, protocol=2),
    "data is a number": pickle.dumps({b"data": 1, b"labels": [1]}, protocol=2),
    "unset array": b"\x80\x02}(U\x04dataccnumpy.core.multiarray\n_reconstruct\n(NNNtRu.",
    "floats": PICKLED_ARRAY.replace(b"u1", b"f8"),
    "wrong shape": PICKLED_ARRAY.replace(b"M\x00\x0c\x86", b"M\x01\x0c\x86"),
    "label 300": PICKLED_ARRAY.replace(b"](K", b"](M\x2c\x01K"),
}


@pytest.mark.parametrize("fault", BROKEN_PICKLES)
def test_a_malformed_pickle_is_an_error_of_the_data(fault):
    with pytest.raises(DataError):
        decode_pickled(BROKEN_PICKLES[fault])


def test_the_restricted_reader_agrees_with_the_ordinary_one():
    images, labels = decode_pickled(PICKLED_ARRAY)
    reference = pickle.loads(PICKLED_ARRAY, encoding="bytes")
    assert np.array_equal(images.reshape(-1, 3072), reference[b"data"])
    assert labels.tolist() == reference[b"labels"]


def test_a_pickled_array_in_column_order_is_read_as_numpy_reads_it():
    column_order = PICKLED_ARRAY.replace(b"\x89T", b"\x88T")
    images, _ = decode_pickled(column_order)
    reference = pickle.loads(column_order, encoding="bytes")[b"data"]
    assert np.array_equal(images.reshape(-1, 3072), reference)


def test_binary_rows_are_a_label_then_red_green_and_blue():
    content = b"\x07" + b"\x01" * 1024 + b"\x02" * 1024 + b"\x03" * 1024
    images, labels = decode_binary(content)
    assert labels.tolist() == [7]
    assert images.shape == (1, 3, 32, 32)
    assert [int(plane.min()) for plane in images[0]] == [1, 2, 3]
    assert [int(plane.max()) for plane in images[0]] == [1, 2, 3]


def test_half_a_binary_row_is_refused():
    with pytest.raises(DataError, match="not a whole number"):
        decode_binary(bytes(3073 + 5))


PIXELS, LABELS = BATCHES[0]
WRONG_BATCHES = {
    "label 10 is out of range 0 to 9": (PIXELS, np.where(np.arange(len(LABELS)) == 4, 10, LABELS)),
    "7 images and 7 labels, expected 20": (PIXELS[:7], LABELS[:7]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("complaint", WRONG_BATCHES)
def test_a_wrong_label_or_length_is_refused(access, tmp_path, monkeypatch, form, complaint):
    contents = [WRITERS[form](*WRONG_BATCHES[complaint]), *contents_of(form)[1:]]
    monkeypatch.setattr(cifar10, "RELEASES", (describe(FORMS[form], contents),))
    directory = write_directory(tmp_path / "mine", form)
    (directory / FORMS[form].train[0].name).write_bytes(contents[0])
    with pytest.raises(DataError, match=complaint):
        CIFAR10Config(path=directory).load_train(access)


def test_images_that_moved_are_read_as_released_or_from_class_folders(access, tmp_path):
    config = CIFAR10Config(val_fraction=0.02, split_seed=3)
    assert config.moved_to(None) == config
    assert config.moved_to(tmp_path) == config.model_copy(update={"path": tmp_path})
    for name in CLASS_NAMES:
        path = tmp_path / "Testing" / name / "1.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (32, 32), (25 * CLASS_NAMES.index(name), 0, 0)).save(path)
    moved = config.moved_to(tmp_path)
    assert moved.name == "folder"
    assert (moved.val_fraction, moved.split_seed, moved.split) == (0.02, 3, "content")
    images = moved.load_test(access, CLASS_NAMES)
    assert images.labels_N.tolist() == list(range(10))
    assert images.image_shape == (3, 32, 32)
    assert images.images_NCHW[:, 0, 5, 5].tolist() == [25 * label for label in range(10)]


def test_test_labels_follow_the_models_class_order(access):
    config = place_directory("binary", access.data_dir)
    backwards = CLASS_NAMES[::-1]
    test = config.load_test(access, backwards)
    assert test.class_names == backwards
    assert torch.equal(test.labels_N, 9 - expected_labels("test"))


def test_a_class_that_the_model_does_not_know_is_named(access):
    config = place_directory("binary", access.data_dir)
    with pytest.raises(DataError, match="test split has classes that training lacks: truck"):
        config.load_test(access, CLASS_NAMES[:9])
