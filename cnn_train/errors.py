"""The errors a user can cause or meet, each with the exit code that the command line returns.

A message is one line (or one line per finding): where it happened, what is wrong, what to do.
"""

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

MAX_NAMED = 10

# Letters without ink that Python counts as printable, and letters to keep that it does not count.
INKLESS, KEPT = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0", "\n\xa0\u2009\u200a\u202f\u3000"

# What joins or parts Persian, Indic and emoji letters; elsewhere it only hides.
_SEEN = "[^\x00-\x7f\u2000-\u206f\ufeff]"
JOINERS = re.compile(f"((?<={_SEEN})[\u200c\u200d](?={_SEEN}))")


def visible(text: str) -> str:
    """Spell out every letter that is not seen or is obeyed, as ``\\x1b``; line ends are kept."""
    if text.isascii() and text.isprintable():
        return text
    hidden = {a for a in text if a in INKLESS or not (a.isprintable() or a in KEPT)}
    spelled = {ord(a): a.encode("unicode_escape").decode() for a in hidden}
    pieces = enumerate(JOINERS.split(text))  # every second one is a joiner
    return "".join(piece if i % 2 else piece.translate(spelled) for i, piece in pieces)


def in_one_line(text: object) -> str:
    """Spell out line ends too, which a file's name may hold: a message is one line."""
    return visible(str(text)).replace("\n", "\\n")


def name_some(names: Sequence[str], most: int = MAX_NAMED) -> str:
    """Join up to ten names for a message, or another number of them, and count the others."""
    others = len(names) - most
    return in_one_line(", ".join(names[:most])) + (f" and {others} others" if others > 0 else "")


def counted(number: int, noun: str) -> str:
    """Return ``1 epoch`` or ``5,000 epochs``, ``2 classes``: a number with its noun."""
    ending = "" if number == 1 else "es" if noun.endswith(("ss", "tch")) else "s"
    return f"{number:,} {noun}{ending}"


OUT_OF_MEMORY = "out of memory; lower batch_size (or --batch-size), or choose a smaller model"

# What torch, cuBLAS (a status), the system ("can't"), onnxruntime ("Failed to allocate") and the
# system's loader of libraries ("map segment") write when there is too little memory.
MEMORY_SHORTAGES = (
    "out of memory",
    "can't allocate memory",
    "Failed to allocate memory",
    "failed to map segment",
    "CUBLAS_STATUS_ALLOC_FAILED",
)

NOT_DETERMINISTIC = " does not have a deterministic"
"""Stands behind the operation that torch refuses under ``--deterministic``."""

SYSTEM_SHORTAGES = {
    errno.ENOSPC: "disk full: no space left for the output",
    errno.EDQUOT: "disk quota used up: no space left for the output",
    errno.EMFILE: "too many open files; allow more with: ulimit -n 1024",
    errno.ENFILE: "too many open files on this machine; close other programs",
    errno.ENOMEM: OUT_OF_MEMORY,
}


def is_out_of_memory(problem: BaseException) -> bool:
    """Recognise Python's own error, a GPU's, and that of torch's allocator on the CPU."""
    return isinstance(problem, MemoryError) or any(
        phrase in str(problem) for phrase in MEMORY_SHORTAGES
    )


def describe_shortage(problem: BaseException) -> str | None:
    """Say what the machine lacks or lost, and what to try; None for any other error."""
    if is_out_of_memory(problem):
        return OUT_OF_MEMORY
    if isinstance(problem, OSError):
        return SYSTEM_SHORTAGES.get(problem.errno or 0)
    text = str(problem)
    if "can't start new thread" in text:
        return (
            "the system allows no more threads; allow more with ulimit -u, or set OMP_NUM_THREADS=1"
        )
    lost_gpu = type(problem).__name__ == "AcceleratorError" and "device-side assert" not in text
    if lost_gpu:  # a device-side assert is a wrong index in our own code; all else is the GPU's
        reason = " ".join(text.splitlines()[:1]).rstrip(".")
        return (
            f"the GPU failed ({reason}); look at it with nvidia-smi, then go on with fit --resume"
        )
    return None


class CnnTrainError(Exception):
    """Base of every expected failure; anything else that escapes is a bug in cnn-train.

    kind: what ``--json`` calls it.
    """

    exit_code = 1
    kind = "failure"


class CheckFailedError(CnnTrainError):
    """A check that was asked for found something wrong."""

    kind = "check"


class UsageError(CnnTrainError):
    """The command line asks for something that does not exist or cannot be combined."""

    exit_code = 2
    kind = "usage"


class ConfigError(CnnTrainError):
    """A config file or ``--set`` override is wrong; one line per finding."""

    exit_code = 2
    kind = "config"


class DataError(CnnTrainError):
    """A dataset or an image is missing, damaged or of an unsupported kind."""

    exit_code = 3
    kind = "data"


class MissingSplitError(DataError):
    """A dataset has no images for an optional split."""


class CheckpointError(CnnTrainError):
    """A file is not a cnn-train checkpoint, is damaged, or does not fit what it is used for."""

    exit_code = 4
    kind = "checkpoint"


class DivergedError(CnnTrainError):
    """Training produced a loss that is not finite."""

    exit_code = 5
    kind = "diverged"


class ResourceError(CnnTrainError):
    """The machine ran out of memory or disk space."""

    exit_code = 6
    kind = "resources"


class LostProcessError(CnnTrainError):
    """Another process of a distributed run ended, or cannot be reached."""

    exit_code = 6
    kind = "lost_process"


class LockedError(CnnTrainError):
    """Another process is using the run directory."""

    exit_code = 7
    kind = "locked"


class InterruptedRun(CnnTrainError):  # noqa: N818  (an interruption is not an error)
    """Training stopped on request (Ctrl-C) after saving a checkpoint."""

    exit_code = 130
    kind = "interrupted"


def expected_failure(problem: BaseException) -> CnnTrainError | None:
    """Return what ends the program, as a user can meet it; None where it is a bug of ours."""
    if isinstance(problem, CnnTrainError):
        return problem
    if isinstance(problem, KeyboardInterrupt):
        return InterruptedRun("interrupted")
    shortage = describe_shortage(problem)
    return None if shortage is None else ResourceError(shortage)


PYTHON_SPELLINGS = tuple(
    (re.compile(flags), words)
    for flags, words in (
        (r"cnn-train fit --config \S+ (.*)--weights (\S+) --new-head",
         r'train(..., \1weights="\2", new_head=True)'),
        (r"--new-head", "new_head=True"),
        (r"--device (\w+(:\d+)?)", r'device="\1"'),
        (r"--set '?(\w+)=(\{.*\})'", r"\1=\2"),
        (r"--set (\w+)\.(\w+)=([^ ,;]+)", r'\1={"\2": \3}'),
        (r"--set (\w+)=", r"\1="),
    )
)  # fmt: skip
"""The command line's flags that messages advise, and what a caller of the Python API writes."""


@contextmanager
def spelled_for_python() -> Iterator[None]:
    """Raise what a user can cause with arguments of the Python API in the place of flags."""
    try:
        yield
    except CnnTrainError as problem:
        text = str(problem)
        for flags, words in PYTHON_SPELLINGS:
            text = flags.sub(words, text)
        raise type(problem)(text) from problem.__cause__


@contextmanager
def refusals_explained() -> Iterator[None]:
    """Turn torch's refusals to compute a network into ConfigError or UsageError."""
    try:
        yield
    except ValueError as problem:
        if "more than 1 value per channel" not in str(problem):
            raise
        raise ConfigError(
            "batch_size: a minibatch of one image gives this network's batch norm a single value, "
            "which has no spread; use at least 2"
        ) from None
    except RuntimeError as problem:
        operation, complaint, _ = str(problem).partition(NOT_DETERMINISTIC)
        if not complaint:
            raise
        raise UsageError(
            f"--deterministic: this network needs {operation}, which a GPU computes in any order; "
            "choose another model or leave the option out"
        ) from None
