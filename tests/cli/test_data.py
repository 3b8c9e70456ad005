"""``cnn-train data`` as a user meets it: documents on stdout, talk on stderr, exit codes."""

import io
import json
import os
import sys
import tarfile
import threading
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from cnn_train.cli.main import main
from cnn_train.data.cifar10 import dataset as cifar10
from cnn_train.data.cifar10.releases import BINARY_RELEASE, BatchFile

IMAGES_PER_BATCH = 20
BATCHES = [
    b"".join(
        bytes([(row + batch) % 10]) + bytes([16 * batch + row]) * 3072
        for row in range(IMAGES_PER_BATCH)
    )
    for batch in range(6)
]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run ``cnn-train ARGUMENTS --data-dir data``; return (exit code, stdout, stderr)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        data_dir = ["--data-dir", str(tmp_path / "data")]
        monkeypatch.setattr(sys, "argv", ["cnn-train", "data", *arguments, *data_dir])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return end.value.code or 0, captured.out, captured.err

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("no_proxy", "*")
    return run


@pytest.fixture
def unpacked(tmp_path, monkeypatch) -> Path:
    """Lay out a tiny CIFAR-10 in the data directory and publish its hashes."""
    files = tuple(
        BatchFile(published.name, len(content), sha256(content).hexdigest())
        for published, content in zip(
            BINARY_RELEASE.train + BINARY_RELEASE.test, BATCHES, strict=True
        )
    )
    small = replace(
        BINARY_RELEASE, train=files[:5], test=files[5:], images_per_batch=IMAGES_PER_BATCH
    )
    monkeypatch.setattr(cifar10, "RELEASES", (small,))
    directory = tmp_path / "data" / small.directory
    directory.mkdir(parents=True)
    for file, content in zip(files, BATCHES, strict=True):
        (directory / file.name).write_bytes(content)
    return directory


@pytest.fixture
def published(unpacked, tmp_path, monkeypatch):
    """Pack the tiny CIFAR-10 and serve it on the loopback interface only."""
    web = tmp_path / "web"
    web.mkdir()
    path = web / BINARY_RELEASE.archive.name
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(unpacked.iterdir()):
            content = file.read_bytes()
            member = tarfile.TarInfo(f"{unpacked.name}/{file.name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            file.unlink()
    handler = partial(QuietHandler, directory=str(web))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/{path.name}"
        remote = replace(
            BINARY_RELEASE.archive,
            urls=(url,),
            num_bytes=path.stat().st_size,
            sha256=sha256(path.read_bytes()).hexdigest(),
            allowed_schemes=("http",),
        )
        monkeypatch.setattr(cifar10, "RELEASES", (replace(cifar10.RELEASES[0], archive=remote),))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield path
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_get_downloads_verifies_and_says_where(run, published, tmp_path):
    code, out, err = run("get", "--json")
    path = tmp_path / "data" / published.name
    assert code == 0
    assert json.loads(out) == {
        "path": str(path),
        "num_bytes": published.stat().st_size,
        "verified": True,
    }
    assert "Downloading" in err
    assert path.read_bytes() == published.read_bytes()
    assert run("verify")[0] == 0


def test_get_again_needs_no_network(run, published):
    assert run("get")[0] == 0
    published.unlink()
    code, out, _ = run("get", "--offline")
    assert code == 0
    assert out.endswith("cifar-10-binary.tar.gz: verified\n")


def test_get_offline_without_the_file_is_exit_3_and_names_the_manual_step(run, tmp_path):
    code, out, err = run("get", "--offline")
    assert (code, out) == (3, "")
    assert "https://" in err
    assert str(tmp_path / "data") in err
    assert "Traceback" not in err


def test_verify_counts_every_split(run, unpacked):
    code, out, _ = run("verify")
    assert code == 0
    assert out == "train: 100 images, ok\ntest: 20 images, ok\n"


def test_verify_names_the_damaged_file_and_exits_3(run, unpacked):
    assert run("verify")[0] == 0
    state = (unpacked / "test_batch.bin").stat()
    (unpacked / "test_batch.bin").write_bytes(bytes(len(BATCHES[5])))
    os.utime(unpacked / "test_batch.bin", ns=(state.st_atime_ns, state.st_mtime_ns))
    code, out, err = run("verify", "--json")
    assert code == 3
    document = json.loads(out)
    assert document["ok"] is False
    assert [(split["split"], split["num_images"]) for split in document["splits"]] == [
        ("train", 100),
        ("test", 0),
    ]
    assert "test_batch.bin is damaged" in err


def test_verify_never_downloads(run, tmp_path):
    code, _, err = run("verify")
    assert code == 3
    assert "--offline forbids" not in err
    assert "cnn-train data get" in err


def test_verify_checks_the_dataset_of_a_config(run, tmp_path):
    config = tmp_path / "shapes.yaml"
    config.write_text("data: {name: shapes, num_train: 40, num_test: 20}\n")
    code, out, _ = run("verify", "--config", str(config))
    assert code == 0
    assert out == "train: 40 images, ok\ntest: 20 images, ok\n"


@pytest.mark.parametrize("others", [["val"], ["test"], ["val", "test"], []])
def test_verify_names_every_split_that_damaged_training_images_leave_unchecked(
    run, tmp_path, others
):
    for split in ("train", *others):
        for name in ("cat", "dog"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(folder / "a.png")
    (tmp_path / "images" / "train" / "cat" / "a.png").write_bytes(b"damaged")
    chosen = f"data={{name: folder, root: {tmp_path / 'images'}}}"
    code, out, _ = run("verify", "--set", chosen, "--json")
    assert code == 3
    splits = {each["split"]: each["problem"] for each in json.loads(out)["splits"]}
    assert list(splits) == ["train", *others]
    assert all(splits[split].startswith("not checked: the training split") for split in others)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_show_draws_a_contact_sheet_of_the_split(run, unpacked, tmp_path, split):
    out_path = tmp_path / "sheet.png"
    arguments = ["--split", split, "--per-class", "2", "--out", str(out_path)]
    code, out, _ = run("show", *arguments)
    assert code == 0
    assert out == f"{out_path}\n"
    assert out_path.read_bytes().startswith(b"\x89PNG")


def test_show_draws_what_training_makes_of_an_image(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ["data={name: shapes, num_train: 40, num_test: 10, image_size: 16}", "epochs=3"]
    chosen = [part for setting in settings for part in ("--set", setting)]
    sheets = []
    for change in ("augment.rotation=0", "augment={rotation: 20, mixup: 1}"):
        code, out, _ = run("show", "--augmented", *chosen, "--set", change)
        assert (code, out) == (0, "contact-sheet.png\n")
        with Image.open("contact-sheet.png") as sheet:
            sheets.append(sheet.convert("RGB").copy())
    plain, mixed = sheets
    assert mixed.height > plain.height  # with captions


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "val"], "--split val: only training images are augmented"),
        (["--per-class", "1"], "--per-class 1: this leaves no place for an epoch"),
        (["--set", "augment.rotation=200"], "augment.rotation: 200"),
        (["--set", "augment.mixup=1", "--set", "batch_size=1"], "set batch_size to 2 or more"),
    ],
)
def test_show_augmented_refuses_what_has_no_meaning(run, arguments, message):
    code, out, err = run(
        "show", "--augmented", "--set", "data={name: shapes, num_train: 40}", *arguments
    )
    assert (code, out) == (2, "")
    assert message in err


def test_show_refuses_a_split_that_does_not_exist(run, unpacked):
    code, _, err = run("show", "--split", "training")
    assert code == 2
    assert "--split" in err
    assert "train" in err


def test_export_writes_a_folder_per_class_and_counts_the_images(run, tmp_path):
    code, out, _ = run(
        "export", "--set", "data={name: shapes, num_train: 40, num_test: 20}",
        "--split", "test", "--per-class", "1", "--out", str(tmp_path / "pictures"),
    )  # fmt: skip
    assert code == 0
    assert "10 images" in out
    assert (tmp_path / "pictures" / "star" / "00000.png").is_file()


def test_export_does_not_mix_splits_in_one_folder(run, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "old.png").touch()
    code, _, err = run("export", "--set", "data.name=shapes", "--out", str(tmp_path / "pictures"))
    assert code == 2
    assert "is not empty" in err


def test_the_cache_is_listed_and_cleared_but_not_the_download(run, unpacked, tmp_path):
    for split in ("train", "test"):
        run("show", "--split", split, "--per-class", "1", "--out", str(tmp_path / "sheet.png"))
    code, out, _ = run("cache")
    assert code == 0
    assert out.count(" decoded ") == 2 and out.count(str(unpacked)) == 3
    listed = json.loads(run("cache", "--clear", "--json")[1])
    assert [file["kind"] for file in listed["files"]] == ["decoded", "decoded", "downloaded"]
    assert listed["removed"] == []
    code, _, err = run("cache", "--clear")
    assert code == 2 and "confirm with --yes" in err
    assert run("cache", "--clear", "--yes")[0] == 0
    left = json.loads(run("cache", "--json")[1])["files"]
    assert [file["kind"] for file in left] == ["downloaded"]
