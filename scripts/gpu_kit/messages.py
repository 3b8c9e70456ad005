"""Step ``messages``: what a user reads when memory runs out or a run diverges."""

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.rows import Row, Target

from .attempt import single
from .commands import cnn_train, fit_arguments, last_line
from .kit import Kit

# Too much for a GPU: the activations of many images, each map below the 2³¹ numbers that kernels
# count. At toy size: weights of 17 GB, in a process that may have less.
TOO_LARGE = ("batch_size=12500", "model.depth=40")
TOY_TOO_LARGE = ("model={name: mlp, hidden_sizes: [65536, 65536]}",)


def rows(kit: Kit, _: str) -> Iterator[Row]:
    """Provoke each failure for real; compare its exit code and its last line."""
    too_large = fit_arguments(kit, "wrn28_10", *(TOY_TOO_LARGE if kit.toy else TOO_LARGE))
    words = r"out of memory.* (try|choose) .*a smaller model"
    yield provoke(kit, "out of memory", too_large, 6, words)
    diverging = fit_arguments(kit, "resnet18", "optimizer.lr=1e9", "schedule.warmup_epochs=0")
    words = r"epoch 1, step \d+: .* is not finite at learning rate .* Lower optimizer\.lr"
    yield provoke(kit, "divergence", diverging, 5, words)


def provoke(kit: Kit, name: str, arguments: list[str | Path], exit_code: int, words: str) -> Row:
    """Run the command; its only error line must fit the pattern ``words``."""
    outcome = cnn_train(kit, *arguments)
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    message = (lines[-1] if lines else last_line(outcome)).replace(f"{kit.scratch}/", "")
    kept = outcome.returncode == exit_code and len(lines) == 1 and re.search(words, message)
    return single(
        "messages", name, "exit code", outcome.returncode,
        target=Target(f"{exit_code} and its message", bool(kept)), note=message,
    )  # fmt: skip
