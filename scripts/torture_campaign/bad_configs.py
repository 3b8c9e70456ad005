"""Configs and overrides that are wrong, each with what must be said of it.

The tests give them to ``config check`` and compare every word here; the campaign gives them to
``fit`` in a process of its own.
"""

BAD_CONFIGS: dict[str, tuple[str | bytes, *tuple[str, ...]]] = {
    "misspelt key": (
        "epochs: 3\noptimizer:\n  name: sgd\n\n  # velocity\n  momentun: 0.9\n",
        "6:3: optimizer.momentun: unknown key; did you mean 'momentum'?",
    ),
    "misspelt section": (
        "seed: 1\noptimiser: {lr: 0.1}", "2:1: optimiser: unknown key; did you mean 'optimizer'?",
    ),
    "unknown key": (
        "model: {name: lenet, deep: 3}", "1:22: model.deep: unknown key; known keys: name",
    ),
    "model": ("model: {name: resnet21}", '1:15: model.name: "resnet21" is unknown; did you mean'),
    "loss": ("loss:\n  name: hing", '2:9: loss.name: "hing" is unknown; did you mean \'hinge\'?'),
    "optimizer": ("optimizer: {name: sgdd}", '1:19: optimizer.name: "sgdd" is unknown; did you'),
    "schedule": ("schedule: {name: cosin}", '1:18: schedule.name: "cosin" is unknown; did you'),
    "data set": ("data: {name: cifar11}", '1:14: data.name: "cifar11" is unknown; did you mean'),
    "penalty": ("regularization: {kind: l3}", '1:24: regularization.kind: "l3" is unknown; choi'),
    "precision": ("precision: float15", '1:12: precision: "float15" is unknown; did you mean'),
    "negative": ("optimizer: {lr: -1}", "1:17: optimizer.lr: -1 is out of range; expected"),
    "zero": ("optimizer: {lr: 0}", "1:17: optimizer.lr: 0 is out of range; expected a number > 0"),
    "NaN": ("optimizer: {lr: .nan}", "1:17: optimizer.lr: .nan is not finite; expected a number"),
    "infinity": ("optimizer: {lr: .inf}", "1:17: optimizer.lr: .inf is not finite; expected"),
    "overflowing rate": ("optimizer: {lr: 1e300}", "1:17: optimizer.lr: 1.0e+300 is out of range"),
    "overflowing width": (
        "model: {name: resnet18, width: 9223372036854775808}",
        "1:32: model.width: 9223372036854775808 is out of range",
    ),
    "momentum above one": (
        "optimizer: {momentum: 1.5}",
        "1:23: optimizer.momentum: 1.5 is out of range; expected a number >= 0 and < 1",
    ),
    "no epochs": ("epochs: 0", "1:9: epochs: 0 is out of range; expected a number >= 1"),
    "epochs in fractions": ("epochs: 2.5", "1:9: epochs: 2.5 is a decimal number; expected"),
    "epochs as a word": ("epochs: ten", '1:9: epochs: "ten" is a string; expected a whole number'),
    "epochs as a list": ("epochs: [3]", "1:9: epochs: [3] is a list; expected a whole number"),
    "minibatch of nothing": ("batch_size: 0", "1:13: batch_size: 0 is out of range"),
    "negative seed": ("seed: -1", "1:7: seed: -1 is out of range; expected a number >= 0"),
    "seed beyond 64 bits": (f"seed: {2**64}", f"1:7: seed: {2**64} is out of range"),
    "depth that no network has": (
        "model: {name: wide_resnet, depth: 11}", "1:1: model: depth must be 6 n + 4 (10, 16, 22,",
    ),
    "all for validation": (
        "data: {name: shapes, val_fraction: 1}", "1:36: data.val_fraction: 1 is out of range",
    ),
    "negative strength": (
        "regularization: {kind: l2, strength: -0.1}", "1:38: regularization.strength: -0.1 is out",
    ),
    "average without end": ("ema_decay: 1", "1:12: ema_decay: 1 is out of range"),
    "keep no state": ("checkpoint: {keep: 0}", "1:20: checkpoint.keep: 0 is out of range"),
    "quoted number": ('optimizer: {lr: "0.1"}', '1:17: optimizer.lr: "0.1" is a string; write 0.1'),
    "a truth value": ("epochs: true", "1:9: epochs: true is a boolean; expected a whole number"),
    "no truth value": ("optimizer: {nesterov: 3}", "1:23: optimizer.nesterov: 3 is a whole number"),
    "no": ("optimizer: {lr: no}", '1:17: optimizer.lr: "no" is a string; expected a number'),
    "off": ("optimizer: {nesterov: off}", '1:23: optimizer.nesterov: "off" is a string; write'),
    "1:30": ("epochs: 1:30", '1:9: epochs: "1:30" is a string; YAML 1.2 has no base-60 numbers'),
    "1_000": ("batch_size: 1_000", '1:13: batch_size: "1_000" is a string; write 1000'),
    "nothing": ("epochs:\nseed: 1", "1:8: epochs: the value is empty; expected a whole number"),
    "word for a section": ("optimizer: sgd", '1:12: optimizer: "sgd" is a string; write {name'),
    "list for a section": ("model: [lenet]", "1:8: model: [lenet] is a list; write {name: lenet}"),
    "duplicate key": ("epochs: 1\nseed: 1\nepochs: 2", "3:1: epochs: duplicate key; first given"),
    "duplicate key in a section": (
        "optimizer:\n  lr: 0.1\n  lr: 0.2", "3:3: optimizer.lr: duplicate key; first given in",
    ),
    "tab": ("model:\n\tname: vgg16", "2:1: a tab cannot indent YAML; use spaces"),
    "open bracket": ("model: [", "1:9: the file ends inside a '[' or '{'; close it"),
    "brace around the rest": ("data: {name: shapes\nepochs: 3", "1:7: this '{' is not closed"),
    "open quote": ('precision: "float32', "1:12: this quote is never closed"),
    "two documents": ("epochs: 1\n---\nepochs: 2", "2:1: a second document starts here"),
    "list": ("- 1", "1:1: the file holds a list; write lines of the form 'key: value'"),
    "single value": ("vgg16", "1:1: the file holds a single value; write lines of the form"),
    "tag": ("name: !!python/object/apply:os.system [touch hacked]", "1:7: '!' starts a YAML tag"),
    "alias": ("optimizer: {lr: *rate}", "1:17: '*' starts an anchor or alias, which configs"),
    "byte-order mark": ("\ufeffepochs: 1", "1:1: the file starts with a byte"),
    "UTF-16": ("epochs: 1".encode("utf-16"), "1:1: the file is UTF-16 text; save it as UTF-8"),
    "no text": (b"epochs: 3\n\xff\xfe\xfa\n", "2:1: this byte is not UTF-8 text"),
    "zero bytes": (bytes(64), "1:1: a zero byte: binary data or UTF-16 text"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), "1:1: this byte is not UTF-8 text"),
    "five errors": (
        "seed: -1\nmodel: {name: vgg15}\nbatch_size: 0\noptimizer:\n  lr: .nan\n  momentun: 0.9\n",
        "1:7: seed: ", "2:15: model.name: ", "3:13: batch_size: ", "5:7: optimizer.lr: ",
        "6:3: optimizer.momentun: ",
    ),
}  # fmt: skip
"""Name: the file's text, and how each error line begins after the file's name."""

_ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)
)

BOMBS = {
    "100 MB": b"#" * 100_000_000,
    "aliases": _ALIASES.encode(),
    "brackets": b"a: " + b"[" * 99_000,
    "braces": b"{a: " * 24_000,
    "pairs": b"a: [" + b"1," * 49_000 + b"]",
    "keys": b"".join(b"k%d: 1\n" % n for n in range(9_000)),
    "digits": b"epochs: " + b"9" * 99_000,
    "escapes": b'a: "' + b"\\x61" * 24_000 + b'"',
    "tags": b"%TAG !a! tag:x,2000:\n" * 4_000 + b"--- {}",
    "indents": b"".join(b" " * n + b"a:\n" for n in range(440)),
}
"""Small texts, and one large one, that cost a careless reader minutes or gigabytes."""

BAD_OVERRIDES = {
    "optimizer.lrr=1": "optimizer.lrr: unknown key; did you mean 'lr'?",
    "optimizer.lr=fast": 'optimizer.lr: "fast" is a string; expected a number',
    "optimizer.lr=-1": "optimizer.lr: -1 is out of range",
    'optimizer.lr="0.1"': 'optimizer.lr: "0.1" is a string; write 0.1',
    "optimizer.lr": "expected KEY=VALUE",
    "=3": "expected KEY=VALUE",
    "": "expected KEY=VALUE",
    "optimizer..lr=1": "expected KEY=VALUE",
    "nothing=1": "nothing: unknown key; known keys: data, model",
    "epochs=0": "epochs: 0 is out of range",
    "epochs=1.5": "epochs: 1.5 is a decimal number; expected a whole number",
    "epochs.x=1": "epochs is 3, not a section",
    "model=resnet20": 'model: "resnet20" is a string; write {name: resnet20}',
    "model.name=vit": 'model.name: "vit" is unknown; choices: linear, hog_linear, mlp',
    "loss.name=mse": 'loss.name: "mse" is unknown; choices: hinge, cross_entropy',
    "optimizer.name=adam": "optimizer.name: \"adam\" is unknown; did you mean 'adamw'?",
    "data.name=imagenet": 'data.name: "imagenet" is unknown; choices: cifar10',
    "seed=[": "the file ends inside a '[' or '{'; close it",
    "optimizer={lr: 0.1": "this '{' is not closed",
    "checkpoint.keep=0": "checkpoint.keep: 0 is out of range",
    "augment.flip=sometimes": 'augment.flip: "sometimes" is unknown; expected',
}
"""``--set`` texts for a config of three epochs, and how the error goes on after citing them."""


def config_bytes(name: str) -> bytes:
    """Return the content of a bad config as a file has it."""
    content = BAD_CONFIGS[name][0]
    return content.encode() if isinstance(content, str) else content
