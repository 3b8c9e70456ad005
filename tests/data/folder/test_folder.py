"""A folder of images as a dataset: its layout, its splits, its cache, and what is wrong with it."""

import os
import shutil
import unicodedata
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder import dataset as folder
from cnn_train.data.folder.dataset import FolderConfig, load_split
from cnn_train.data.images.files import load_image
from cnn_train.data.images.paths import find_images
from cnn_train.data.images.square import fit_square
from cnn_train.data.splits import load_training_splits
from cnn_train.errors import DataError, MissingSplitError, ResourceError

LEVELS = {"cat": 40, "dog": 200}


def save_image(path, level=0, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, 255 - level, 7)).save(path)


@pytest.fixture
def root(tmp_path):
    """A data set of two classes: three training images of each, two test images of each."""
    for split, count in (("train", 3), ("test", 2)):
        for name, level in LEVELS.items():
            for i in range(count):
                save_image(tmp_path / "set" / split / name / f"{i}.png", level + i)
    return tmp_path / "set"


@pytest.fixture
def notices():
    return []


@pytest.fixture
def access(tmp_path, notices):
    return DataAccess(tmp_path / "data", notice=notices.append)


@pytest.fixture
def config(root):
    return FolderConfig(root=root, image_size=8)


def cache_files(access):
    return sorted((access.data_dir / "folder-cache").glob("*.bin"))


def test_images_labels_and_names_come_sorted_by_class_and_name(config, access):
    images = config.load_train(access)
    assert images.class_names == ("cat", "dog")
    assert images.names == tuple(f"train/{c}/{i}.png" for c in LEVELS for i in range(3))
    assert images.labels_N.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.images_NCHW.shape == (6, 3, 8, 8)
    assert images.images_NCHW[:, 0, 0, 0].tolist() == [40, 41, 42, 200, 201, 202]
    assert images.images_NCHW[:, 2].unique().tolist() == [7]


def test_each_row_is_what_predict_sees_of_its_file(root, config, access):
    rng = np.random.default_rng(0)
    for i, (height, width) in enumerate([(8, 8), (50, 30), (5, 9)]):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "train" / "cat" / f"{i}.png")
    images = config.load_train(access)
    for name, row in zip(images.names, images.images_NCHW, strict=True):
        seen = fit_square(load_image(root / name).pixels_HWC, 8)
        assert torch.equal(row.permute(1, 2, 0), torch.from_numpy(seen))


def test_training_works_without_test_images_and_testing_without_training_images(config, access):
    shutil.rmtree(config.root / "test")
    config.load_train(access)
    assert len(cache_files(access)) == 1
    (config.root / "train").rename(config.root / "test")
    assert len(config.load_test(access, ("cat", "dog"))) == 6


def test_loading_the_training_images_opens_nothing_below_test(config, access, monkeypatch):
    listed = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (listed.append(Path(path)), real(path))[1])
    config.load_train(access)
    assert listed
    assert all("test" not in path.relative_to(config.root).parts for path in listed)


def test_val_is_optional(config, access):
    assert config.load_val(access, ("cat", "dog")) is None
    (config.root / "test").rename(config.root / "val")
    val = config.load_val(access, ("cat", "dog"))
    assert val is not None
    assert val.names[0] == "val/cat/0.png"


@pytest.mark.parametrize(
    ("split", "name"),
    [
        ("train", "Train"), ("train", "training"), ("val", "valid"), ("val", "Validation"),
        ("val", "VAL"), ("test", "testing"), ("test", "Test"),
    ],
)  # fmt: skip
def test_a_split_may_have_any_of_its_usual_names(config, access, notices, split, name):
    (config.root / ("train" if split == "train" else "test")).rename(config.root / name)
    load = {"val": config.load_val, "test": config.load_test}
    classes = ("cat", "dog")
    images = config.load_train(access) if split == "train" else load[split](access, classes)
    assert images.names[0] == f"{name}/cat/0.png"
    assert images.labels_N.tolist() == [0] * (len(images) // 2) + [1] * (len(images) // 2)
    assert config.known_images().class_names == classes
    assert [config.has_split(split) for split in ("train", "val", "test")] == [
        True, split == "val", split != "val",
    ]  # fmt: skip
    assert notices == []


@pytest.mark.parametrize(
    ("split", "pair"), [("train", "train"), ("val", "valid"), ("test", "test")]
)
def test_two_folders_of_one_split_are_refused(config, access, split, pair):
    other = {"train": "Training", "val": "Val", "test": "TESTING"}[split]
    for name in (pair, other):
        (config.root / name).mkdir(exist_ok=True)
    wanted = f"{config.root}: {other} and {pair} both name the {split} images; keep one of them"
    for load in (
        config.known_images,
        lambda: config.has_split(split),
        lambda: config.load_train(access),
    ):
        with pytest.raises(DataError) as refusal:
            load()
        assert str(refusal.value) == wanted


def test_a_link_to_a_split_is_no_second_one(config, access):
    (config.root / "Testing").symlink_to("test")
    assert config.load_test(access, ("cat", "dog")).names[0] == "test/cat/0.png"


def test_other_folders_are_named_but_no_files_and_no_system_folders(config, access, notices):
    for name in ("extra", "dev", "@eaDir", "lost+found", ".git"):
        (config.root / name).mkdir()
    (config.root / "labels.csv").write_text("a,b")
    config.load_train(access)
    assert notices == [f"{config.root}: folders not used: dev/, extra/"]


def test_a_class_is_the_same_however_its_accents_are_encoded(config, access, notices):
    """Composed and decomposed names, which look alike; "e" and a combining accent sort last."""
    composed, decomposed = "\u00e9t\u00e9", "e\u0301te\u0301"
    save_image(config.root / "train" / composed / "1.png", 9)
    save_image(config.root / "test" / decomposed / "1.png", 9)
    train = config.load_train(access)
    test = config.load_test(access, train.class_names)
    assert train.class_names == test.class_names == ("cat", "dog", composed)
    assert test.labels_N.tolist() == [0, 0, 1, 1, 2]
    assert test.names[-1] == f"test/{decomposed}/1.png"
    assert config.load_test(access, ("cat", decomposed, "dog")).labels_N.tolist() == [0, 0, 2, 2, 1]
    assert notices == []
    (config.root / "train" / composed).rename(config.root / "train" / decomposed)
    assert config.load_train(access).fingerprint() == train.fingerprint()


def test_a_class_that_is_there_in_both_encodings_is_refused(config, access):
    for form in ("NFC", "NFD"):
        save_image(config.root / "train" / unicodedata.normalize(form, "\u00e9t\u00e9") / "1.png")
    with pytest.raises(DataError, match="two folders of été, whose accents are encoded different"):
        config.load_train(access)


@pytest.mark.parametrize(
    "name",
    ["@eaDir", ".ipynb_checkpoints", "__MACOSX", "lost+found", "Thumbs.db", ".DS_Store",
     "System Volume Information", "$RECYCLE.BIN", "#recycle", "Icon\r", "__pycache__"],
)  # fmt: skip
def test_what_a_system_leaves_is_no_class_and_no_image(config, access, notices, name):
    for place in (config.root / "train" / name, config.root / "train" / "cat" / name):
        save_image(place / "thumb.png")
    images = config.load_train(access)
    assert images.class_names == ("cat", "dog")
    assert len(images) == 6
    assert len(notices) == 1 and notices[0].startswith(f"{config.root}: ignored train/")
    files, _ = find_images([config.root / "train"])
    assert files == [config.root / name for name in images.names]


def test_labels_follow_the_training_class_names(config, access, notices):
    test = config.load_test(access, ("bird", "dog", "cat"))
    assert test.class_names == ("bird", "dog", "cat")
    assert test.labels_N.tolist() == [2, 2, 1, 1]
    assert notices == ["test has no images of bird"]


def test_a_test_class_that_training_lacks_is_named(config, access):
    with pytest.raises(DataError, match="test has classes that training lacks: dog; training has"):
        config.load_test(access, ("bird", "cat"))


@pytest.mark.parametrize("missing", ["", "train"])
def test_a_missing_training_folder_names_the_layout(config, access, missing):
    shutil.rmtree(config.root / missing)
    problem = "has no folder 'train'" if missing else "no such folder"
    with pytest.raises(DataError, match=problem) as refusal:
        config.load_train(access)
    assert f"expected {config.root}/train/<class>/<image>" in str(refusal.value)


def test_one_class_is_too_few_to_train_but_enough_to_test(config, access):
    for split in ("train", "test"):
        shutil.rmtree(config.root / split / "dog")
    assert len(config.load_test(access, ("cat", "dog"))) == 2
    with pytest.raises(DataError, match="1 class folders, but train needs at least 2"):
        config.load_train(access)


@pytest.mark.parametrize(("split", "least"), [("train", 2), ("val", 1), ("test", 1)])
def test_a_split_without_class_folders_is_refused(config, access, split, least):
    shutil.rmtree(config.root / split, ignore_errors=True)
    (config.root / split).mkdir()
    with pytest.raises(DataError, match=f"0 class folders, but {split} needs at least {least};"):
        load_split(config.root, split, config.reading(8), access)


def test_empty_classes_are_named(config, access):
    for name in ("ant", "bee"):
        (config.root / "train" / name).mkdir()
    with pytest.raises(DataError, match="no images of ant, bee; add some, or remove it"):
        config.load_train(access)


def test_images_outside_a_class_and_folders_inside_one_are_named(config, access):
    save_image(config.root / "train" / "stray.png")
    with pytest.raises(DataError, match=r"only class folders belong here, not stray\.png"):
        config.load_train(access)
    (config.root / "train" / "stray.png").unlink()
    save_image(config.root / "train" / "dog" / "puppies" / "1.png")
    with pytest.raises(DataError, match=r"images lie directly in their class folder; .* puppies"):
        config.load_train(access)


def test_system_files_are_ignored_and_said(config, access, notices):
    for name in (".DS_Store", "cat/Thumbs.db", "dog/.hidden"):
        (config.root / "train" / name).write_bytes(b"\0")
    assert len(config.load_train(access)) == 6
    expected = "train/.DS_Store, train/cat/Thumbs.db, train/dog/.hidden"
    assert notices == [f"{config.root}: ignored {expected}"]


def test_every_unusable_file_is_named_up_to_ten(config, access):
    for i in range(12):
        (config.root / "train" / "cat" / f"bad{i:02}.png").write_bytes(b"")
    (config.root / "train" / "dog" / "labels.csv").write_text("a,b")
    with pytest.raises(DataError) as refusal:
        config.load_train(access)
    lines = str(refusal.value).splitlines()
    assert lines[0] == "13 of 19 files are not usable images; replace or remove them:"
    assert lines[1] == f"  {config.root}/train/cat/bad00.png: the file is empty; replace it"
    assert len(lines) == 12
    assert lines[-1] == "  and 3 others"
    assert cache_files(access) == []


def test_a_stray_text_and_a_dangling_link_are_named(config, access):
    (config.root / "train" / "dog" / "labels.csv").write_text("a,b")
    (config.root / "train" / "cat" / "gone.png").symlink_to("nowhere")
    with pytest.raises(DataError) as refusal:
        config.load_train(access)
    assert "gone.png: no such file" in str(refusal.value)
    assert "labels.csv: is a text file" in str(refusal.value)


def test_unusual_images_are_noticed(config, access, notices):
    (config.root / "train" / "cat" / "0.png").rename(config.root / "train" / "cat" / "0.jpg")
    config.load_train(access)
    assert notices == [
        f"about some images:\n  {config.root}/train/cat/0.jpg: "
        "is a PNG file, although its name ends in .jpg"
    ]


def test_an_unreadable_class_folder_is_named(config, access, monkeypatch):
    real = os.scandir

    def refuse_dogs(path):
        if Path(path).name == "dog":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse_dogs)
    with pytest.raises(DataError, match=r"train/dog: cannot be read \(Permission denied\)"):
        config.load_train(access)


def test_a_second_start_decodes_nothing(config, access, monkeypatch):
    first = config.load_train(access)
    monkeypatch.setattr(folder, "decode_batches", None)
    second = config.load_train(access)
    assert first.fingerprint() == second.fingerprint()
    assert first.names == second.names


@pytest.mark.parametrize("change", ["content", "time", "new file", "renamed", "removed"])
def test_a_changed_file_is_decoded_again_into_the_same_cache_file(config, access, change):
    before = config.load_train(access)
    path = config.root / "train" / "cat" / "0.png"
    if change == "content":
        save_image(path, 99, size=(9, 9))
    elif change == "time":
        save_image(path, 99)
        os.utime(path, ns=(0, 0))
    elif change == "new file":
        save_image(path.with_name("new.png"))
    elif change == "renamed":
        path.rename(path.with_name("9.png"))
    else:
        path.unlink()
    after = config.load_train(access)
    assert (before.fingerprint(), before.names) != (after.fingerprint(), after.names)
    assert len(cache_files(access)) == 1


def test_another_size_or_decoder_is_decoded_again(config, access, monkeypatch):
    config.load_train(access)
    larger = config.model_copy(update={"image_size": 16})
    assert larger.load_train(access).image_shape == (3, 16, 16)
    assert config.load_train(access).image_shape == (3, 8, 8)
    save_image(config.root / "train" / "cat" / "0.png", size=(20, 10))
    padded = config.model_copy(update={"fit": "pad"}).load_train(access)
    assert (padded.images_NCHW[0, :, 0] == 128).all()
    assert (config.load_train(access).images_NCHW[0, :, 0] != 128).any()
    assert len(cache_files(access)) == 3
    monkeypatch.setattr(folder, "DECODER_VERSION", -1)
    monkeypatch.setattr(folder, "decode_batches", None)
    with pytest.raises(TypeError):
        config.load_train(access)


def test_an_unwritable_cache_is_said_and_done_without(config, access, notices):
    access.data_dir.write_text("a file where the folder should be")
    assert len(config.load_train(access)) == 6
    assert notices[0].startswith("the decoded images are not kept for the next start: ")


def test_progress_counts_every_file(config, access):
    opened, counts = [], []

    @contextmanager
    def progress(description, total, *, unit="items"):
        opened.append((description, total))
        yield counts.append

    config.load_train(replace(access, progress=progress))
    assert opened == [("Decoding the train images", 6)]
    assert sum(counts) == 6


def test_images_that_do_not_fit_into_memory_are_a_lack_of_resources(config, access, monkeypatch):
    def refuse(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(np, "empty", refuse)
    with pytest.raises(ResourceError, match=r"6 images .* GB of memory; set data\.resident=host"):
        config.load_train(access)


def test_the_root_may_start_at_home_or_here(config, access, root, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.chdir(root.parent)
    for spelling in ("~/set", "set", "./set/../set"):
        relative = FolderConfig(root=Path(spelling), image_size=8)
        assert len(relative.load_train(access)) == 6
    assert len(cache_files(access)) == 1


def test_unicode_and_spaces_in_names_are_kept(config, access):
    save_image(config.root / "train" / "été bleu" / "ñandú 1.png")
    images = config.load_train(access)
    assert images.names[-1] == "train/été bleu/ñandú 1.png"
    assert config.load_train(access).names == images.names


def test_a_name_that_is_not_unicode_is_kept(config, access):
    name = os.fsdecode(b"train/cat/\xff.png")
    save_image(config.root / "train" / "cat" / "x.png")
    (config.root / "train" / "cat" / "x.png").rename(config.root / name)
    for _ in range(2):
        assert name in config.load_train(access).names


@pytest.mark.parametrize("settings", [{}, {"root": "x", "image_size": 3}, {"root": 5}])
def test_the_config_refuses_nonsense(settings):
    with pytest.raises(ValidationError):
        FolderConfig.model_validate(settings)


def test_the_config_takes_a_path_as_text():
    assert FolderConfig.model_validate({"root": "~/pets"}).root == Path("~/pets")


def test_a_missing_test_split_is_told_apart_from_a_damaged_one(access, tmp_path):
    (tmp_path / "root" / "train").mkdir(parents=True)
    config = FolderConfig(root=tmp_path / "root")
    with pytest.raises(MissingSplitError, match="has no folder 'test'"):
        config.load_test(access, ("a", "b"))


def save_grey_16(path, *values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint16([np.repeat(values, 4)] * 8)).save(path)  # 8 × 8: it is not scaled


def scaled(value, bits):
    """Scale by hand: in floating point, clipped."""
    return min(round(value * 255 / (2**bits - 1)), 255)


@pytest.fixture
def scans(tmp_path):
    """16-bit files that hold 12 bits: one is dark, and one of the test files is too bright."""
    for split, brightest in (("train", 4000), ("val", 3000), ("test", 9000)):
        for name in LEVELS:
            save_grey_16(tmp_path / "scans" / split / name / "dark.png", 100, 200)
            save_grey_16(tmp_path / "scans" / split / name / "light.tif", 2000, brightest)
    return FolderConfig(root=tmp_path / "scans", image_size=8)


def columns(images):
    """Return the first row of every image's two columns."""
    return images.images_NCHW[:, 0, 0, [0, -1]].tolist()


def test_one_range_holds_for_all_16_bit_files_of_all_splits_and_is_said_once(
    scans, access, notices
):
    train = scans.load_train(access)
    dark, light = [scaled(100, 12), scaled(200, 12)], [scaled(2000, 12), scaled(4000, 12)]
    assert columns(train) == [dark, light] * 2
    assert notices == [
        "train: 16-bit files with values up to 4,095 at most are taken as 12-bit grey; "
        "data.grey_bits sets it"
    ]
    known = scans.as_read(train)
    assert (scans.grey_bits, known.grey_bits) == (None, 12)
    _, val = load_training_splits(scans, access)
    assert columns(val) == [dark, [scaled(2000, 12), scaled(3000, 12)]] * 2
    del notices[:]
    assert columns(known.load_test(access, ("cat", "dog"))) == [dark, [light[0], 255]] * 2
    assert [line.split(": ")[-1] for line in notices[0].splitlines()[1:]] == [
        "values up to 9,000 are cut at 4,095"
    ] * 2


def test_a_known_range_is_served_from_what_was_decoded_where_it_was_found(
    scans, access, monkeypatch
):
    first = scans.load_train(access)
    other = scans.model_copy(update={"grey_bits": 16}).load_train(access)
    assert not torch.equal(first.images_NCHW, other.images_NCHW)
    again = scans.load_train(access)
    assert again.fingerprint() == first.fingerprint() and again.files == first.files
    monkeypatch.setattr(folder, "decode_batches", None)
    assert scans.as_read(first).load_train(access).fingerprint() == first.fingerprint()


def test_files_of_8_bits_leave_the_range_open(config, access):
    assert config.as_read(config.load_train(access)) == config


def test_an_image_is_recognised_at_every_size_and_in_every_format_of_the_same_pixels(
    config, root, access
):
    noise = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "train" / "cat" / "a.png")
    Image.fromarray(noise).save(root / "train" / "dog" / "b.bmp")
    Image.fromarray(noise[:, ::-1]).save(root / "train" / "dog" / "c.bmp")
    names, hashes = [], []
    for size_px in (8, 16, 8):  # the second time 8 comes from the cache
        images = config.model_copy(update={"image_size": size_px}).load_train(access)
        names, hashes = images.names, [*hashes, images.hashes_N.tolist()]
    assert hashes[0] == hashes[1] == hashes[2]
    same = [name for name, one in zip(names, hashes[0], strict=True) if hashes[0].count(one) > 1]
    assert same == ["train/cat/a.png", "train/dog/b.bmp"]


@pytest.mark.parametrize(
    ("name", "target", "complaint"),
    [
        ("train/cow", "cow", "only class folders belong here, not cow"),
        ("train/cow", ".", "cow: links to one folder, or in a circle"),
        ("train/cow", "../..", "cow: links to one folder, or in a circle"),
        ("train/cow", "cat", "cat, cow: links to one folder, or in a circle"),
        ("train/cat/cow", "..", "move those of cow up"),
        ("train/cat/cow.png", "cow.png", "Too many levels of symbolic links"),
    ],
)
def test_links_in_circles_are_named(config, access, name, target, complaint):
    (config.root / name).symlink_to(target)
    with pytest.raises(DataError, match=complaint):
        config.load_train(access)


def test_a_split_in_a_circle_is_none(config, access):
    (config.root / "val").symlink_to("valid")
    (config.root / "valid").symlink_to("val")
    assert config.load_val(access, ("cat", "dog")) is None
