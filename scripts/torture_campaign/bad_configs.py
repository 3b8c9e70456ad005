"""Configs and overrides that are wrong, each with the place where a reader must be sent."""

from dataclasses import dataclass

Place = tuple[int, int]


@dataclass(frozen=True)
class BadConfig:
    """A config's text and every place (line, column, from 1) that its errors must name."""

    name: str
    content: bytes
    places: tuple[Place, ...] = ()


def _bad(name: str, text: str, *places: Place) -> BadConfig:
    return BadConfig(name, text.encode(), places)


_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

BAD_CONFIGS = (
    _bad("misspelt key", "epochs: 3\noptimizer:\n  momentun: 0.9\n", (3, 3)),
    _bad("misspelt section", "seed: 1\noptimiser: {lr: 0.1}\n", (2, 1)),
    _bad("unknown key in a flow", "model: {name: lenet, deep: 3}\n", (1, 22)),
    _bad("misspelt model", "model: {name: resnet21}\n", (1, 15)),
    _bad("misspelt loss", "loss:\n  name: hing\n", (2, 9)),
    _bad("misspelt optimizer", "optimizer: {name: sgdd}\n", (1, 19)),
    _bad("misspelt schedule", "schedule: {name: cosin}\n", (1, 18)),
    _bad("misspelt data set", "data: {name: cifar11}\n", (1, 14)),
    _bad("misspelt regularisation", "regularization: {kind: l3}\n", (1, 24)),
    _bad("negative rate", "optimizer: {lr: -1}\n", (1, 17)),
    _bad("rate of zero", "optimizer: {lr: 0}\n", (1, 17)),
    _bad("rate that is no number", "optimizer: {lr: .nan}\n", (1, 17)),
    _bad("infinite rate", "optimizer: {lr: .inf}\n", (1, 17)),
    _bad("momentum above one", "optimizer: {momentum: 1.5}\n", (1, 23)),
    _bad("no epochs", "epochs: 0\n", (1, 9)),
    _bad("epochs in fractions", "epochs: 2.5\n", (1, 9)),
    _bad("epochs as a word", "epochs: ten\n", (1, 9)),
    _bad("epochs as a list", "epochs: [3]\n", (1, 9)),
    _bad("quoted number", 'optimizer: {lr: "0.1"}\n', (1, 17)),
    _bad("minibatch of nothing", "batch_size: 0\n", (1, 13)),
    _bad("negative seed", "seed: -1\n", (1, 7)),
    _bad("seed beyond 64 bits", f"seed: {2**64}\n", (1, 7)),
    _bad("truth value for a number", "epochs: true\n", (1, 9)),
    _bad("number for a truth value", "optimizer: {nesterov: 3}\n", (1, 23)),
    _bad("word of YAML 1.1 for a truth value", "optimizer: {nesterov: off}\n", (1, 23)),
    _bad("sexagesimal number", "epochs: 1:30\n", (1, 9)),
    _bad("number with underscores", "epochs: 1_000\n", (1, 9)),
    _bad("nothing for a number", "epochs:\nseed: 1\n", (1, 8)),
    _bad("scalar for a section", "optimizer: sgd\n", (1, 12)),
    _bad("list for a section", "model: [lenet]\n", (1, 8)),
    _bad("depth that no network has", "model: {name: wide_resnet, depth: 11}\n"),
    _bad("validation share of one", "data: {name: shapes, val_fraction: 1}\n", (1, 36)),
    _bad("negative strength", "regularization: {kind: l2, strength: -0.1}\n", (1, 38)),
    _bad("unknown precision", "precision: float15\n", (1, 12)),
    _bad("average without end", "ema_decay: 1\n", (1, 12)),
    _bad("keep no state", "checkpoint: {keep: 0}\n", (1, 20)),
    _bad("duplicate key", "epochs: 3\nseed: 1\nepochs: 4\n", (3, 1)),
    _bad("duplicate key in a section", "optimizer:\n  lr: 0.1\n  lr: 0.2\n", (3, 3)),
    _bad("tab as indent", "optimizer:\n\tlr: 0.1\n", (2, 1)),
    _bad("unclosed bracket", "data: {name: shapes\nepochs: 3\n", (1, 7)),
    _bad("unclosed quote", 'precision: "float32\n', (1, 12)),
    _bad("two documents", "epochs: 3\n---\nepochs: 4\n", (2, 1)),
    _bad("a list as root", "- epochs\n- 3\n", (1, 1)),
    _bad("a scalar as root", "epochs\n", (1, 1)),
    _bad("python tag", "epochs: !!python/object/apply:os.system [id]\n", (1, 9)),
    _bad("unknown alias", "optimizer: {lr: *rate}\n", (1, 17)),
    _bad("alias bomb", _BOMB),
    _bad("thousand brackets", "data: " + "[" * 1_000 + "\n"),
    BadConfig("two bytes per letter", "epochs: 3\n".encode("utf-16")),
    BadConfig("bytes that are no text", b"epochs: 3\n\xff\xfe\xfa\n"),
    BadConfig("zero bytes", bytes(64)),
    BadConfig("a picture", b"\x89PNG\r\n\x1a\n" + bytes(64)),
    _bad(
        "five errors at once",
        "epochs: 0\nbatch_size: x\noptimizer:\n  momentun: 1\n  lr: -1\nsede: 1\n",
        (1, 9), (2, 13), (4, 3), (5, 7), (6, 1),
    ),
)  # fmt: skip

BAD_OVERRIDES = (
    "optimizer.momentun=0.9", "optimizer.lr=fast", "optimizer.lr=-1", "optimizer.lr", "=3", "",
    "optimizer..lr=1", "nothing=1", "epochs=0", "epochs=2.5", "model.name=resnet21",
    "model=resnet20", "loss.name=hing", "data.name=imagenet", "epochs.more=1", "seed=[",
    "optimizer={lr: 0.1", "checkpoint.keep=0", "augment.flip=sometimes",
)  # fmt: skip
