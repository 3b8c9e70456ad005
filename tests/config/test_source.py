import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cnn_train.config.source import MAX_BYTES, read_text
from cnn_train.errors import ConfigError


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_text(path)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epochs: 3".encode("utf-16"), ":1:1: the file is UTF-16 text; save it as UTF-8"),
        ("epochs: 3".encode("utf-32"), ":1:1: the file is UTF-32 text; save it as UTF-8"),
        ("epochs: 3".encode("utf-8-sig"), ":1:1: the file starts with a byte-order mark; save it"),
        ("a: 1\nepochs: 3".encode("utf-16-le"), ":1:2: a zero byte"),
        (b"a: 1\nb: \xe9t\xe9\n", ":2:4: this byte is not UTF-8"),
        ("ä: 1\nb: ö".encode() + b"\0", ":2:5: a zero byte"),
        (b"a" * (MAX_BYTES + 1), ":1:1: longer than 100 kB"),
    ],
)
def test_what_is_not_a_small_utf_8_text_is_refused_with_its_place(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    assert refusal(path).startswith(message)


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000_000)  # sparse: takes no space, but would take all memory
    assert refusal(path).startswith(":1:1: longer than 100 kB")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c.yaml", "no such config file; check the path, or give - to read standard input"),
        (".", "is a directory; name one YAML file in it"),
        ("x" * 5000, "cannot be read: File name too long; check the path"),
    ],
)
def test_what_is_no_file_says_what_to_do(tmp_path: Path, name: str, message: str) -> None:
    assert refusal(tmp_path / name) == f": {message}"


def test_an_unreadable_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cnn_train.config.source.open_regular", deny)
    assert "cannot be read; check who may read it" in refusal(tmp_path / "c.yaml")


def test_a_pipe_is_refused_except_one_that_a_shell_makes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "not a regular file" in refusal(tmp_path / "pipe.yaml")
    reader, writer = os.pipe()  # as --config <(sed ...) does
    os.write(writer, b"epochs: 3\n")
    os.close(writer)
    assert read_text(Path(f"/dev/fd/{reader}")) == "epochs: 3\n"
    os.close(reader)


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"epochs: 3\n")))
    assert read_text("-") == "epochs: 3\n"


def test_errors_call_standard_input_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a: \xff\n")))
    with pytest.raises(ConfigError, match=r"^<stdin>:1:4: "):
        read_text("-")
