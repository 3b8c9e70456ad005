"""Read a config's text from a file or standard input; refuse early what cannot be a config."""

import codecs
import sys
from pathlib import Path

from ..errors import ConfigError
from ..machine.regular_file import open_regular
from .shipped import read_shipped

STDIN = "-"

# The configs that ship are under 2 kB. PyYAML scans about 1 MB/s, so this bounds the time too.
MAX_BYTES = 100_000

# A shell puts the last two for <(sed ...). No other pipe is waited for.
STREAMS = ("/dev/stdin", "/dev/null", "/dev/fd/", "/proc/self/fd/")

# UTF-32 first: its little-endian mark starts with UTF-16's.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "is UTF-32 text"),
    (codecs.BOM_UTF32_BE, "is UTF-32 text"),
    (codecs.BOM_UTF16_LE, "is UTF-16 text"),
    (codecs.BOM_UTF16_BE, "is UTF-16 text"),
    (codecs.BOM_UTF8, "starts with a byte-order mark"),
)

UNREADABLE: dict[type[OSError], str] = {
    IsADirectoryError: "is a directory; name one YAML file in it",
    PermissionError: "cannot be read; check who may read it, for instance with ls -l",
}


def name_source(config: str | Path) -> str:
    """Return what errors call the config's origin: its path as given, or ``<stdin>``."""
    return "<stdin>" if str(config) == STDIN else str(config)


def read_text(config: str | Path) -> str:
    """Read a config file, a shipped config by its name, or standard input for ``-``.

    Raises ConfigError where there is no such file, it cannot be read, or it is not a small piece
    of UTF-8 text.
    """
    content = _read_stdin() if str(config) == STDIN else _read_bytes(Path(config))
    return decode(content, name_source(config))


def _read_stdin() -> bytes:
    advice = "pipe a config into it, or name a file"
    if sys.stdin is None:
        raise ConfigError(f"<stdin>: standard input is closed; {advice}")
    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"<stdin>: cannot be read: {error.strerror}; {advice}") from None


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") if str(path).startswith(STREAMS) else open_regular(path) as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return read_shipped(path)
    except OSError as error:
        otherwise = f"cannot be read: {error.strerror}; check the path"
        raise ConfigError(f"{path}: {UNREADABLE.get(type(error), otherwise)}") from None


def decode(content: bytes, source: str) -> str:
    """Return the text of a config's bytes; raises ConfigError where they are not small UTF-8."""
    for mark, finding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            raise ConfigError(f"{source}:1:1: the file {finding}; save it as UTF-8 without a BOM")
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"{source}:1:1: longer than {MAX_BYTES // 1000} kB, so hardly a config; "
            "name a YAML file"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        place = _place(source, content[: error.start].decode())
        raise ConfigError(f"{place}: this byte is not UTF-8 text; save the file as UTF-8") from None
    if "\0" in text:
        place = _place(source, text[: text.index("\0")])
        raise ConfigError(f"{place}: a zero byte: binary data or UTF-16 text; save it as UTF-8")
    return text


def _place(source: str, text_before: str) -> str:
    last_line = text_before.rpartition("\n")[2]
    return f"{source}:{text_before.count(chr(10)) + 1}:{len(last_line) + 1}"
