"""Our side of a race: a config that is trained and evaluated again and again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from cnn_train.inference.trained_model import TrainedModel, restore_trained_model
from cnn_train.inference.views import ViewsName
from cnn_train.machine.device import resolve_device
from cnn_train.machine.stopwatch import now
from cnn_train.metrics.tally import Tally
from cnn_train.training.building import build_session, fit_image_layers, on_device
from cnn_train.training.fit import Supervision, fit

from .kit import Kit, join

PIECE = 2000


class OurRun:
    """A config of ours, run again and again by the clock that the peers keep.

    It runs while the first layer is computed, while minibatches are made and learned from, and
    while the test images are scored over their views. Before that all images are on the device and
    the network and its optimizer are built; validation is not timed. Validation images are trained
    on as well, as the peers do: they choose nothing, the last weights count.
    """

    def __init__(self, kit: Kit, stem: str, *more: str) -> None:
        self.config = kit.config(stem, *more)
        self.device = resolve_device(kit.device)
        train, self.val = kit.training_images(self.config)
        self.train = join(train, self.val)
        test = kit.test_images(self.config, self.train.class_names)
        self.test = on_device(test, self.device)
        self.seconds = 0.0

    def __call__(self, seed: int) -> dict[str, float]:
        """Train once, then evaluate with and without views."""
        config = self.config.model_copy(update={"seed": seed})
        session = build_session(config, self.train, self.val, self.device)
        self.seconds = 0.0
        with self.clock():
            fit_image_layers(session.model, session.batches.images, session.batches.normalization)
        for _ in fit(session, Supervision(watch=self.watch)):
            pass
        trained = restore_trained_model(session.checkpoint(), self.device, "the race")
        single = self.accuracy(trained, "none")
        with self.clock():
            views = self.accuracy(trained, "flip_translate")
        return {"seconds": self.seconds, "single": single, "views": views}

    def accuracy(self, trained: TrainedModel, views: ViewsName) -> float:
        """Score the test images, which lie on the device, in pieces of the peers' size."""
        scores_NK = trained.scores(self.test.images_NCHW, batch_size=PIECE, tta=views)
        return float((scores_NK.argmax(1) == self.test.labels_N.cpu()).float().mean())

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
