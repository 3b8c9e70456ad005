import errno
import io
import sys

import pytest

from cnn_train.cli.process.standard_streams import ForgivingStream, prepare_streams


class Broken(io.RawIOBase):
    """A stream that takes nothing, for the reason that ``number`` gives."""

    def __init__(self, number: int) -> None:
        self.number = number

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        if not self.number:
            return 0 if content is None else len(memoryview(content))  # type: ignore[arg-type]
        raise OSError(self.number, "broken")


def talk_to(number: int) -> tuple[Broken, ForgivingStream]:
    broken = Broken(number)
    talk = ForgivingStream(
        io.BufferedWriter(broken), "utf-8", "backslashreplace", line_buffering=True
    )
    return broken, talk


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_talk_that_cannot_be_written_is_dropped(number: int) -> None:
    broken, talk = talk_to(number)
    assert talk.write("epoch 1\n") == 8
    talk.flush()
    broken.number = 0  # so that the end of the test can flush and close


def test_a_reader_that_is_gone_is_still_an_error() -> None:
    broken, talk = talk_to(errno.EPIPE)
    with pytest.raises(BrokenPipeError):
        talk.write("epoch 1\n")
    broken.number = 0


def test_a_stream_that_somebody_put_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stderr", ascii_only)
    prepare_streams()
    assert sys.stderr is ascii_only
    print("3 × 32", file=sys.stderr, flush=True)  # noqa: T201
    assert ascii_only.buffer.getvalue() == b"3 \\xd7 32\n"  # type: ignore[attr-defined]


def test_streams_that_are_closed_are_nothing_to_prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    prepare_streams()
