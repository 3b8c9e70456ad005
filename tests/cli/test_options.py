"""The command line as users know it: every command with its arguments and options.

An entry that goes away breaks somebody's script. The thirteen older flags of ``playground`` and
``visualize CHECKPOINT --method cam``, which no help shows, have tests beside those commands.
"""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from cnn_train.cli.main import app

READING = "--data-dir --offline"
SESSION = f"-c --config --set --device {READING} --json"
FORMULA = "--expr --at --json --out"
SHEET = f"-c --config --set --split --per-class --out {READING}"
METHOD = f"CHECKPOINT {READING} --device --json --out"
SPLIT = "--split --num-images --data-root"
UNITS = "--layer --channel --num-channels"

COMMAND_LINE = {
    "": "--version --install-completion --show-completion",
    "checkpoint": "",
    "checkpoint export-weights": "CHECKPOINT --out --force",
    "checkpoint import": "FILE -c --config --set --out --classes --mean --std --key --verify "
    "--force --json",
    "checkpoint show": "CHECKPOINT --json",
    "checkpoint slim": "CHECKPOINT --out --precision --set --force --json",
    "checkpoint verify": "FILE|RUN... --json",
    "compare": f"RUN... --run-root --no-test --device --data-root {READING} --json --out",
    "config": "",
    "config check": "FILE... --set",
    "config copy": "NAME FILE --force",
    "config list": "--json",
    "config schema": "",
    "config show": "CONFIG --set",
    "data": "",
    "data cache": "--clear --yes --data-dir --json",
    "data export": SHEET,
    "data get": f"{READING} --json",
    "data show": f"{SHEET} --augmented",
    "data verify": "-c --config --set --near --data-dir --json",
    "evaluate": f"CHECKPOINT --split --data-root {READING} --verify-data --tta --tta-share "
    "--batch-size --slices --severities --seed --corruptions --predictions --against --device "
    "--json --out",
    "explore": f"RUN --image --port --no-browser --data-root {READING} --device",
    "find-lr": f"{SESSION} --from --to --updates --out",
    "fit": f"{SESSION} --resume --branch --allow-config-change --weights --new-head --seed "
    "--seeds --name --run-root --data-root --verify-data --limit-batches --deterministic --dry-run "
    "--sanity",
    "gradcheck": f"{SESSION} --layer --samples --images",
    "inspect": "IMAGE --pixels --checkpoint --size --json --out",
    "learn": "",
    "learn backprop": "--label --seed --json --out",
    "learn batch-size": f"{SESSION} --images --seconds --draws --out",
    "learn check": "--mine --expr --at --module --shape --json",
    "learn conv": "CHECKPOINT --layer --channel --at --image --device --json --out",
    "learn descent": f"{SESSION} --images --seconds --out --surface",
    "learn diff": f"{FORMULA} --h",
    "learn forward-mode": FORMULA,
    "learn graph": FORMULA,
    "learn loss": f"hinge|cross_entropy --scores --label --checkpoint --images --split --data-root "
    f"{READING} --device --set --json --out",
    "learn params": "--image-size --channels --units --patch --filters --json --out",
    "learn regularization": f"{SESSION} --images --seconds --out",
    "learn reverse-mode": FORMULA,
    "learn slope": f"{FORMULA} --h --directions --seed {SESSION}",
    "learn step": f"{SESSION} --checkpoint --data-root --entries --every-layer --out",
    "lecture": "",
    "lecture export": "RUN --to --out --data-dir",
    "models": "--json",
    "models draw": "NAME --set --num-classes --image-size --json --out",
    "models pretrained": "NAME --json",
    "models show": "NAME --set --num-classes --image-size --json",
    "playground": "--dataset --set --port --no-browser --headless --epochs --json --out",
    "export": "CHECKPOINT --out --format --force --num-images --data-root --data-dir --json",
    "predict": "IMAGE... --checkpoint --run-root --top-k --device --json --csv --out",
    "profile": f"{SESSION} --batches",
    "report": f"CHECKPOINT --slices --data-root {READING} --device --out",
    "runs": "--sort --where --columns --group-by --run-root --json",
    "runs prune": "--keep-best --run-root --yes --json",
    "runs remove": "RUN... --run-root --yes --json",
    "runs watch": "RUN --run-root --json",
    "serve": "CHECKPOINT --host --port --top-k --max-mb --at-once --per-second --device",
    "sweep": f"{SESSION} --space --trials --sampler --prune --no-prune --name --storage --seed "
    "--run-root --out",
    "visualize": "",
    "visualize cam": f"{METHOD} {SPLIT} --image --class --layer",
    "visualize deconv": f"{METHOD} {SPLIT} {UNITS} --image --signals-only",
    "visualize embedding": f"{METHOD} {SPLIT} --projection",
    "visualize filters": f"{METHOD} {UNITS}",
    "visualize guided": f"{METHOD} {SPLIT} {UNITS} --image --signals-only",
    "visualize loss-surface": f"{METHOD} {SPLIT} --plane --reach --num-points --seed",
    "visualize maps": f"{METHOD} {SPLIT} {UNITS} --image",
    "visualize occlusion": f"{METHOD} {SPLIT} --image --class --window",
    "visualize saliency": f"{METHOD} {SPLIT} --image --class",
    "visualize top-patches": f"{METHOD} {SPLIT} {UNITS} --image",
}


def offered(command: Any, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield each command's path, and its options and arguments."""
    names: set[str] = set()
    for one in command.params:
        is_option = one.param_type_name == "option"
        names |= {*one.opts, *one.secondary_opts} if is_option else {one.metavar}
    yield path, names
    for name, inner in getattr(command, "commands", {}).items():
        yield from offered(inner, f"{path} {name}".strip())


def test_the_command_line_offers_exactly_what_is_written_here() -> None:
    expected = {path: set(names.split()) for path, names in COMMAND_LINE.items()}
    assert dict(offered(get_command(app))) == expected
