"""One side of a race in a process of its own: for each seed on stdin, what it reached on stdout."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from cnn_train.device import resolve_device
from cnn_train.evaluate import evaluate
from cnn_train.fit import fit
from cnn_train.image_layers import fit_image_layers
from cnn_train.metrics import Tally
from cnn_train.session import build_session
from cnn_train.stopwatch import now
from cnn_train.trained_model import restore_trained_model

from .child import keep_stdout
from .kit import Kit
from .peers import PeerRun, find_script


class OurRun:
    """A config of ours, run again and again by the clock that the peers keep.

    It runs while the first layer is computed, while minibatches are made and learned from, and
    while the test images are scored over their views. Before that the images are on the device and
    the network and its optimizer are built; validation is not timed.
    """

    def __init__(self, kit: Kit, stem: str, *more: str) -> None:
        self.config = kit.config(stem, *more)
        self.device = resolve_device(kit.device)
        self.images = kit.training_images(self.config)
        self.test = kit.test_images(self.config, self.images[0].class_names)
        self.seconds = 0.0

    def __call__(self, seed: int) -> dict[str, float]:
        """Train once, then evaluate with and without views."""
        config = self.config.model_copy(update={"seed": seed})
        session = build_session(config, *self.images, self.device)
        self.seconds = 0.0
        with self.clock():
            fit_image_layers(session.model, session.batches.images, session.batches.normalization)
        for _ in fit(session, watch=self.watch):
            pass
        trained = restore_trained_model(session.checkpoint(), self.device, "the race")
        single = evaluate(trained, self.test).accuracy
        with self.clock():
            views = evaluate(trained, self.test, tta="flip_translate").accuracy
        return {"seconds": self.seconds, "single": single, "views": views}

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Add the block's time."""
        started = now(self.device.torch_device)
        yield
        self.seconds += now(self.device.torch_device) - started

    def watch(self, tallies: Iterable[Tally]) -> Iterator[Tally]:
        """Add the time of an epoch's minibatches."""
        with self.clock():
            yield from tallies


def get_ready(kit: Kit, name: str) -> Callable[[int], dict[str, float]]:
    """Return what runs once per call: a peer for a script's name, else a config of ours."""
    if name.endswith(".py"):
        return PeerRun(find_script(kit.peers, name), resolve_device(kit.device).torch_device)
    stem, *more = name.split(", ")
    return OurRun(kit, stem, *more)


def main() -> None:
    """Run for each seed that comes in."""
    settings, name = sys.argv[1:]
    results = keep_stdout()
    run = get_ready(Kit.from_json(settings), name)
    for line in sys.stdin:
        results.write(json.dumps(run(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
