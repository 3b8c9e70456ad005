import contextlib
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

import cnn_train.runs.states as run_checkpoints
from cnn_train.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cnn_train.errors import CheckpointError, ConfigError, DivergedError, InterruptedRun
from cnn_train.metrics.best import BestBy
from cnn_train.runs.directory import RunDirectory
from cnn_train.runs.states import go_back, load_newest, look_back
from cnn_train.training.building import build_session
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.progress import EpochRecord, Progress
from cnn_train.training.resuming import checked_changes, resume_session
from cnn_train.training.session import Session

Start = Callable[..., Session]

pytestmark = pytest.mark.usefixtures("no_pictures")

NUM_MINIBATCHES = 4  # of an epoch, in the tiny runs
CLOCK_FIELDS = {"seconds", "images_per_second"}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, "run")


@dataclass
class StopAfter:
    """Ask for a stop once the run has looked ``num_looks`` times."""

    num_looks: int

    def __call__(self) -> bool:
        self.num_looks -= 1
        return self.num_looks <= 0


def finish(session: Session, run: RunDirectory | None = None, **options: Any) -> None:
    for _ in fit(session, Supervision(run, **options)):
        pass


def resume(start: Start, run: RunDirectory, **sections: Any) -> Session:
    """Resume as a new process would, whose generators know nothing of the old one's."""
    torch.manual_seed(987654321)
    session, state = start(**sections), load_newest(run)
    resume_session(session, state.checkpoint)
    go_back(run, look_back(run, state, session.config.best_by, anew=False))
    return session


def without_clock(records: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in record.items() if k not in CLOCK_FIELDS} for record in records]


def assert_equal_bits(found: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_equal_bits(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert_equal_bits(ours, theirs)
    else:
        assert found == expected


def assert_same_state(found: Checkpoint, expected: Checkpoint) -> None:
    """Compare everything but the clock: weights, averages, optimizer, generators, records."""
    ours, theirs = dict(vars(found)), dict(vars(expected))
    ours["records"] = without_clock(ours["records"])
    theirs["records"] = without_clock(theirs["records"])
    assert_equal_bits(ours, theirs)


def assert_same_runs(found: RunDirectory, expected: RunDirectory) -> None:
    assert without_clock(found.load_metrics()) == without_clock(expected.load_metrics())
    for name in ("last.ckpt", "best.ckpt"):
        assert_same_state(load_checkpoint(found.path / name), load_checkpoint(expected.path / name))


RECIPES: dict[str, dict[str, Any]] = {
    "momentum": {},
    "hinge with l1": {"loss": {"name": "hinge"}, "regularization": {"kind": "l1"}},
    "averaged weights": {"ema_decay": 0.9},
    "dropout": {"model": {"name": "mlp", "hidden_sizes": [8], "dropout": 0.5}},
    "adamw": {"optimizer": {"name": "adamw"}},
    "full batch": {"optimizer": {"name": "gd"}},
    "every change of images": {
        "augment": {
            "rotation": 20, "crop_scale": [0.3, 1], "saturation": 0.4, "hue": 0.1,
            "trivial_augment": True, "erasing": 0.5, "mixup": 0.4, "cutmix": 1,
        },
    },
    "hardest images": {
        "data_selection": {"keep": 0.55, "from_epoch": 1}, "epochs": 3,
        "loss": {"name": "cross_entropy", "label_smoothing": 0.1},
    },
    "hardest images, full batch": {
        "data_selection": {"keep": 0.55, "from_epoch": 1}, "epochs": 3, "optimizer": {"name": "gd"},
    },
    "equally many of each class": {
        "data": {"sampling": "balanced"}, "loss": {"weights": [1.0, 3.0, 0.5]},
    },
    "gradients of three minibatches": {"accumulate": 3, "ema_decay": 0.9},
    "stopped early": {"stop": {"patience": 1, "metric": "accuracy", "min_delta": 1}, "epochs": 9},
    "a random share": {
        "data_selection": {"keep": 0.6, "from_epoch": 0, "by": "random"}, "epochs": 3,
    },
    "batch norm, dropout, averaged weights": {
        "model": {"name": "wide_resnet", "depth": 10, "width": 1, "dropout": 0.3},
        "ema_decay": 0.5,
    },
}  # fmt: skip

# After how many minibatches each process is asked to stop, before one runs to the end.
STOPS = {
    "mid-epoch": [2],
    "after the first minibatch": [1],
    "with the last minibatch of an epoch": [NUM_MINIBATCHES],
    "twice within one epoch": [1, 2],
    "in the second epoch": [NUM_MINIBATCHES + 3],
    "with the last minibatch of the second epoch": [NUM_MINIBATCHES + 4],
}


@pytest.mark.parametrize("stops", STOPS.values(), ids=STOPS)
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_stopped_and_resumed_run_equals_the_uninterrupted_one_bit_for_bit(
    start: Start, tmp_path: Path, recipe: dict[str, Any], stops: list[int]
) -> None:
    straight, stopped = (RunDirectory.create(tmp_path, name) for name in ("straight", "stopped"))
    finish(start(**recipe), straight)
    session = start(**recipe)
    for num_minibatches in stops:
        with pytest.raises(InterruptedRun):
            finish(session, stopped, should_stop=StopAfter(num_minibatches))
        session = resume(start, stopped, **recipe)
    finish(session, stopped)
    assert_same_runs(stopped, straight)


@pytest.mark.parametrize("num_writes", range(1, 10))
def test_a_run_killed_at_any_write_resumes_to_the_same_last_and_best(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_writes: int
) -> None:
    """Up to nine writes: at the start a state and its name, then a state, last, best per epoch."""
    straight, killed = (RunDirectory.create(tmp_path, name) for name in ("straight", "killed"))
    finish(start(), straight)
    writes = itertools.count(1)

    def dying(write: Callable[[Any, Path], None]) -> Callable[[Any, Path], None]:
        def write_or_die(what: Any, path: Path) -> None:
            if next(writes) == num_writes:
                raise KeyboardInterrupt
            write(what, path)

        return write_or_die

    with monkeypatch.context() as patch:
        for name in ("save_checkpoint", "give_second_name"):
            patch.setattr(run_checkpoints, name, dying(getattr(run_checkpoints, name)))
        with contextlib.suppress(KeyboardInterrupt):
            finish(start(), killed)
    finish(resume(start, killed) if killed.can_go_on else start(), killed)
    assert_same_runs(killed, straight)


HISTORIES = {
    "momentum": [0, 1, 2, 3, 5, 8],
    "full batch": [0, 1, 2],
    "gradients of three minibatches": [0, 1, 2, 3, 4],  # two updates an epoch
    "stopped early": [0, 1, 2, 3, 5, 8],
    "hardest images": [0, 1, 2, 3, 5, 10],
    "dropout": [0, 1, 2, 3, 5, 8],
}
KEPT = {"keep_steps": [3, 999], "keep_history": "log", "every_epochs": 9, "keep": 1}


@pytest.mark.parametrize("name", HISTORIES)
def test_states_that_stay_change_no_bit_and_are_the_same_in_a_run_that_was_stopped(
    start: Start, tmp_path: Path, name: str
) -> None:
    recipe = RECIPES[name]
    plain, kept, stopped = (RunDirectory.create(tmp_path, name) for name in "abc")
    finish(start(**recipe), plain)
    recipe = recipe | {"checkpoint": KEPT}
    finish(start(**recipe), kept, should_save=lambda is_due: False)  # as asked too rarely on a GPU
    expected = load_checkpoint(plain.last_checkpoint)
    found = load_checkpoint(kept.last_checkpoint)
    assert_same_state(replace(found, config=expected.config), expected)
    assert list(kept.history) == HISTORIES[name]
    session = start(**recipe)
    for num_minibatches in (1, 3, 1):
        with contextlib.suppress(InterruptedRun):
            finish(session, stopped, should_stop=StopAfter(num_minibatches))
            break
        session = resume(start, stopped, **recipe)
    finish(session, stopped)
    assert list(stopped.history) == HISTORIES[name]
    for step, path in kept.history.items():
        assert_same_state(load_checkpoint(stopped.history[step]), load_checkpoint(path))


def test_room_is_asked_for_the_states_that_will_stay(
    start: Start, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        "cnn_train.training.run_files.require_room", lambda run, keep, is_fresh: asked.append(keep)
    )
    finish(start(checkpoint=KEPT), run)  # of 0 1 2 3 5 there is the first
    longer = {"checkpoint": KEPT, "epochs": 4}
    finish(resume(start, run, **longer), run)  # only 10 is still to come
    assert asked == [1 + 4, 1 + 1]


def test_a_choice_that_comes_after_the_last_epoch_changes_no_bit(start: Start) -> None:
    """Also not those of the losses that are kept for it."""
    plain, late = start(), start(data_selection={"keep": 0.5, "from_epoch": 2})
    finish(plain)
    finish(late)
    expected = vars(plain.checkpoint()) | {"config": late.checkpoint().config}
    assert_same_state(replace(late.checkpoint(), image_losses=None), Checkpoint(**expected))


def test_an_epoch_trains_on_the_images_of_the_largest_losses_in_the_last_one(start: Start) -> None:
    """At a rate of almost zero the losses are those of the first weights."""
    recipe = {"optimizer": {"name": "sgd", "lr": 1e-30}, "loss": {"name": "hinge"}, "epochs": 4}
    session = start(data_selection={"keep": 0.55, "from_epoch": 1}, **recipe)
    expected_N = torch.full((32,), -1.0)
    for epoch in range(3):
        hardest = expected_N.argsort(descending=True)[:18].tolist() if epoch else range(32)
        plan, batches = session.batches.plan(epoch), list(session.batches.epoch(epoch))
        with torch.no_grad():
            for batch in batches:
                scores_BK = session.model(batch.images_BCHW)
                expected_N[batch.index_B] = session.loss_fn(scores_BK, batch.labels_B, "none")
        shown = [i for p in range(len(plan)) for i in session.batches.examples_of(epoch, p)]
        assert shown == torch.cat([batch.index_B for batch in batches]).tolist()
        assert sorted(shown) == sorted(hardest)
        record = next(fit(session))
        assert record.step == (4, 7, 10)[epoch]
        torch.testing.assert_close(session.losses_2N[0], expected_N)
        loss = expected_N[torch.tensor(shown)].mean()
        assert record.train_loss == pytest.approx(float(loss), rel=1e-5)


def test_the_losses_of_a_state_must_be_those_of_its_images_and_must_be_there(start: Start) -> None:
    selection = {"data_selection": {"keep": 0.5, "from_epoch": 1}}
    session = start(**selection, epochs=3)
    next(fit(session))
    state = session.checkpoint()
    for losses in (None, torch.ones(2, 31), torch.ones(2, 1)):
        words = "no losses to choose by; set data_selection.from_epoch=2"
        with pytest.raises(CheckpointError, match=words):
            resume_session(start(**selection, epochs=3), replace(state, image_losses=losses))
    later = start(data_selection={"keep": 0.5, "from_epoch": 2}, epochs=3)
    resume_session(later, replace(state, image_losses=None))
    finish(later)
    assert [record["step"] for record in later.progress.records] == [4, 8, 10]


def test_a_run_resumed_after_epochs_of_different_length_is_where_it_was_on_its_schedule(
    start: Start, tmp_path: Path
) -> None:
    recipe = RECIPES["hardest images"]
    session, resumed = start(**recipe), start(**recipe)
    epochs = fit(session)
    next(epochs), next(epochs)
    save_checkpoint(session.checkpoint(), tmp_path / "state.ckpt")
    resume_session(resumed, load_checkpoint(tmp_path / "state.ckpt"))
    assert resumed.progress.schedule_step == session.progress.schedule_step == 4 + 3
    finish(session)
    finish(resumed)
    assert_same_state(resumed.checkpoint(), session.checkpoint())


def test_the_share_cannot_change_in_the_middle_of_an_epoch_but_between_two(
    start: Start, run: RunDirectory
) -> None:
    with pytest.raises(InterruptedRun):
        finish(start(epochs=3), run, should_stop=StopAfter(2))
    changed = start(data_selection={"keep": 0.5, "from_epoch": 2}, epochs=3)
    changes = checked_changes(
        start(epochs=3).config, changed.config, (None, None), ["data_selection"]
    )
    with pytest.raises(
        CheckpointError, match="minibatches cannot change in the middle of an epoch"
    ):
        resume_session(changed, load_checkpoint(run.last_checkpoint), changes)
    session = start(epochs=3)
    next(fit(session))
    resume_session(changed, session.checkpoint(), changes)
    finish(changed)
    assert [record["step"] for record in changed.progress.records] == [4, 8, 10]
    assert changed.learning_rate() == 0.05 * changed.schedule(9)


def test_the_same_seed_twice_gives_the_same_weights(start: Start) -> None:
    recipe = RECIPES["batch norm, dropout, averaged weights"]
    first, again, other = start(**recipe), start(**recipe), start(seed=1, **recipe)
    for session in (first, again, other):
        finish(session)
    assert_same_state(again.checkpoint(), first.checkpoint())
    assert not torch.equal(
        other.checkpoint().model["fc.weight"], first.checkpoint().model["fc.weight"]
    )


def test_what_the_process_drew_before_does_not_matter(start: Start) -> None:
    recipe = RECIPES["dropout"]
    first, again = start(**recipe), start(**recipe)
    finish(first)
    torch.rand(17)
    finish(again)
    assert_same_state(again.checkpoint(), first.checkpoint())


def test_a_request_to_stop_is_heard_even_where_an_epoch_is_one_minibatch(
    start: Start, run: RunDirectory
) -> None:
    with pytest.raises(InterruptedRun, match=f"--resume {run.path}"):
        finish(start(limit_batches=1), run, should_stop=StopAfter(2))
    assert load_checkpoint(run.last_checkpoint).epoch == 1


def test_a_request_to_save_is_granted_within_the_epoch_and_training_goes_on(
    start: Start, tmp_path: Path
) -> None:
    straight, saving = (RunDirectory.create(tmp_path, name) for name in ("straight", "saving"))
    finish(start(), straight)
    asked = iter([False, True])
    finish(start(), saving, should_save=lambda is_due: next(asked, False))
    assert list(saving.states) == [4, 8]  # the two newest: that of update 2 has gone again
    assert_same_runs(saving, straight)
    resumed = RunDirectory.create(tmp_path, "resumed")
    asked = iter([False, True])
    finish(start(checkpoint={"keep": 9}), saving, should_save=lambda is_due: next(asked, False))
    checkpoint = load_checkpoint(saving.state(2))
    assert (checkpoint.epoch, checkpoint.position) == (0, 2)
    session = start()
    resume_session(session, checkpoint)
    finish(session, resumed)
    assert_same_runs(resumed, straight)


def test_the_clock_calls_for_a_save_after_steps_or_seconds(
    start: Start, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    dues: list[bool] = []

    def note(is_due: bool) -> bool:
        dues.append(is_due)
        return False

    finish(start(checkpoint={"every_steps": 2}, epochs=1), run, should_save=note)
    assert dues == [False, True, False]  # never after the last minibatch: the epoch's end saves
    dues.clear()
    seconds = itertools.count()
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    finish(start(checkpoint={"every_seconds": 2}, epochs=1), None, should_save=note)
    assert dues == [False, True, True]


def test_a_stop_in_the_middle_of_an_update_says_that_it_starts_again(
    start: Start, run: RunDirectory
) -> None:
    words = "after 0 minibatches; the update under way starts again, all before it is saved"
    with pytest.raises(InterruptedRun, match=words):
        finish(start(optimizer={"name": "gd"}), run, should_stop=StopAfter(2))


def test_a_request_to_stop_after_the_last_minibatch_is_heard_before_the_validation(
    start: Start, run: RunDirectory
) -> None:
    with pytest.raises(InterruptedRun, match="in epoch 1 after 4 minibatches"):
        finish(start(epochs=1), run, should_stop=StopAfter(NUM_MINIBATCHES))
    assert load_checkpoint(run.last_checkpoint).position == NUM_MINIBATCHES
    assert run.load_metrics() == []
    finish(resume(start, run, epochs=1), run)
    assert len(run.load_metrics()) == 1


def test_a_request_to_stop_after_the_last_validation_lets_the_run_finish(start: Start) -> None:
    session = start(epochs=1)
    finish(session, should_stop=StopAfter(NUM_MINIBATCHES + 1))
    assert session.progress.epoch == 1


def test_the_limit_on_minibatches_holds_in_every_epoch(start: Start) -> None:
    seen = []
    session = start(limit_batches=2)
    finish(session, watch=lambda tallies: (seen.append(tally) or tally for tally in tallies))
    assert len(seen) == 2 * 2
    assert session.progress.step == 4


def test_a_finished_run_has_nothing_to_do(start: Start, run: RunDirectory) -> None:
    finish(start(), run)
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    assert list(fit(resume(start, run), Supervision(run))) == []
    assert {path: path.read_bytes() for path in run.path.iterdir()} == before


STOP = {"stop": {"patience": 2, "metric": "accuracy", "min_delta": 1.0}, "epochs": 9}


def test_a_run_that_gets_no_better_ends_saved_and_its_best_epoch_stays(
    start: Start, run: RunDirectory
) -> None:
    """No epoch gains a hundred points of accuracy, so the first is the last that gained."""
    session = start(**STOP, checkpoint={"every_epochs": 100})
    finish(session, run)
    assert (session.progress.epoch, session.is_complete) == (3, True)
    last, best = load_checkpoint(run.last_checkpoint), load_checkpoint(run.best_checkpoint)
    assert (last.epoch, len(run.load_metrics())) == (3, 3)
    assert best.epoch == session.progress.best["epoch"] + 1
    straight = start(epochs=9)  # the schedule is that of nine epochs
    assert [next(fit(straight)).val_loss for _ in range(3)] == [
        record["val_loss"] for record in last.records
    ]


def test_a_stopped_run_has_nothing_to_do_until_its_patience_is_changed(
    start: Start, run: RunDirectory
) -> None:
    finish(start(**STOP), run)
    again = resume(start, run, **STOP)
    finish(again, run)
    assert again.progress.epoch == 3
    patient = STOP | {"stop": STOP["stop"] | {"patience": 4}}
    longer = resume(start, run, **patient)
    finish(longer, run)
    assert longer.progress.epoch == 5
    never = resume(start, run, epochs=9)
    finish(never, run)
    assert (never.progress.epoch, never.stopped_early) == (9, None)


def test_records_written_after_the_checkpoint_are_dropped_on_resume(
    start: Start, run: RunDirectory
) -> None:
    records = fit(start(epochs=3), Supervision(run))
    next(records)
    run.save_metrics([*run.load_metrics(), {"epoch": 1}])
    finish(resume(start, run, epochs=3), run)
    assert [record["epoch"] for record in run.load_metrics()] == [0, 1, 2]


def test_each_epochs_record_is_on_disk_before_the_caller_sees_it(
    start: Start, run: RunDirectory
) -> None:
    for num_epochs, record in enumerate(fit(start(), Supervision(run)), start=1):
        lines = run.metrics.read_text().splitlines()
        assert len(lines) == num_epochs
        assert json.loads(lines[-1]) == vars(record)
        assert load_checkpoint(run.last_checkpoint).epoch == num_epochs


def test_a_record_tells_data_loss_and_regularisation_apart(start: Start) -> None:
    plain, regularised = (
        next(fit(start(optimizer={"name": "gd", "lr": 1e-9}, regularization=regularization)))
        for regularization in ({"kind": "none"}, {"kind": "l2", "strength": 0.5})
    )
    assert plain.train_penalty == 0
    assert regularised.train_penalty > 0
    assert regularised.train_loss == pytest.approx(plain.train_loss, rel=1e-6)


def test_a_record_has_the_counts_and_the_rate_of_its_epoch(start: Start) -> None:
    session = start(schedule={"name": "linear"}, optimizer={"name": "sgd", "lr": 0.8})
    first, second = list(fit(session))
    assert (first.epoch, second.epoch) == (0, 1)
    assert (first.step, second.step) == (4, 8)
    assert (first.lr, second.lr) == pytest.approx((0.8 * 5 / 8, 0.8 * 1 / 8))
    assert all(0 <= record.val_accuracy <= 1 for record in (first, second))


@pytest.mark.parametrize("by", get_args(BestBy))
def test_the_best_checkpoint_is_of_the_epoch_that_the_metric_chooses(
    start: Start, run: RunDirectory, by: BestBy
) -> None:
    finish(start(epochs=5, best_by=by), run)
    sign = -1 if by == "loss" else 1
    records = run.load_metrics()
    places = [(sign * record[f"val_{by}"], -record["val_loss"]) for record in records]
    expected = places.index(max(places))
    assert load_checkpoint(run.best_checkpoint).epoch == expected + 1
    assert records[-1]["best_epoch"] == expected
    assert load_checkpoint(run.last_checkpoint).epoch == 5


# Accuracy, loss, balanced accuracy, macro F1 of five epochs; each metric prefers another one.
EPOCHS = [(0.6, 0.9, 0.5, 0.5), (0.8, 0.8, 0.4, 0.4), (0.8, 0.7, 0.5, 0.5), (0.8, 0.7, 0.9, 0.6),
          (0.7, 0.5, 0.8, 0.7)]  # fmt: skip


@pytest.mark.parametrize(
    ("by", "best_after_each"),
    [
        ("accuracy", [0, 1, 2, 2, 2]),  # of three equals the lower loss, then the earlier one
        ("loss", [0, 1, 2, 2, 4]),
        ("balanced_accuracy", [0, 0, 2, 3, 3]),
        ("macro_f1", [0, 0, 2, 3, 4]),
    ],
)
def test_the_best_epoch_is_chosen_by_a_metric_and_of_equals_by_the_lower_loss(
    by: BestBy, best_after_each: list[int]
) -> None:
    progress = Progress()
    for epoch, (accuracy, loss, balanced, f1) in enumerate(EPOCHS):
        measured = {
            "val_accuracy": accuracy,
            "val_loss": loss,
            "val_balanced_accuracy": balanced,
            "val_macro_f1": f1,
        }
        others = {field.name: 0 for field in fields(EpochRecord)}
        record = EpochRecord(**others | measured | {"epoch": epoch, "best_epoch": epoch})
        assert progress.complete_epoch(record, by).best_epoch == best_after_each[epoch]
        assert progress.best is progress.records[best_after_each[epoch]]


def test_without_a_run_directory_nothing_is_written(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finish(start())
    assert list(tmp_path.iterdir()) == []


def diverge(session: Session, run: RunDirectory, **options: Any) -> str:
    """Let the run die; return its last words after checking what it left behind."""
    before = run.last_checkpoint.read_bytes()
    with pytest.raises(DivergedError) as caught:
        finish(session, run, **options)
    assert run.last_checkpoint.read_bytes() == before
    return str(caught.value)


@pytest.mark.parametrize("loss", ["hinge", "cross_entropy"])
def test_a_learning_rate_of_a_million_diverges_and_leaves_the_checkpoint_untouched(
    start: Start, run: RunDirectory, loss: str
) -> None:
    recipe = {"optimizer": {"name": "sgd", "lr": 1e6}, "loss": {"name": loss}, "epochs": 20}
    save_checkpoint(start(**recipe).checkpoint(), run.last_checkpoint)
    with pytest.raises(DivergedError, match="not finite at learning rate"):
        finish(start(**recipe), run)
    state = load_checkpoint(run.last_checkpoint).model
    assert all(bool(value.isfinite().all()) for value in state.values())


def plant(session: Session, value: float, name: str = "fc1.weight") -> None:
    with torch.no_grad():
        session.model.state_dict()[name].flatten()[0] = value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite_ends_the_run_before_the_next_save(
    start: Start, run: RunDirectory, value: float
) -> None:
    next(fit(start(), Supervision(run)))
    session = resume(start, run)
    plant(session, value)
    message = diverge(session, run)
    assert message.startswith("epoch 2, step 4: the ")
    assert "the checkpoints before it are untouched" in message
    assert len(run.load_metrics()) == 1


def test_a_stop_never_saves_weights_that_are_not_finite(start: Start, run: RunDirectory) -> None:
    next(fit(start(), Supervision(run)))
    session = resume(start, run)

    def plant_and_stop() -> bool:
        plant(session, float("nan"))
        return True

    assert "not finite" in diverge(session, run, should_stop=plant_and_stop)


def test_running_statistics_that_are_not_finite_are_never_saved(
    start: Start, run: RunDirectory
) -> None:
    recipe = {"model": {"name": "wide_resnet", "depth": 10, "width": 1}}
    next(fit(start(**recipe), Supervision(run)))
    session = resume(start, run, **recipe)
    name = next(key for key in session.model.state_dict() if key.endswith("running_var"))
    plant(session, float("inf"), name)
    diverge(session, run)


def test_an_accumulated_update_that_is_not_finite_names_the_images_of_all_its_minibatches(
    start: Start, run: RunDirectory
) -> None:
    session = start(accumulate=2)
    session.model.register_forward_hook(
        lambda module, inputs, scores: scores * (math.nan if session.progress.step else 1.0)
    )
    with pytest.raises(DivergedError, match="epoch 1, step 1: the training loss"):
        finish(session, run)
    report = json.loads(run.divergence.read_text())
    assert (report["step"], report["position"]) == (1, 2)
    assert report["example_indices"] == session.batches.order(0)[16:32].tolist()


def test_an_average_that_is_not_finite_is_never_saved(start: Start, run: RunDirectory) -> None:
    next(fit(start(ema_decay=0.9), Supervision(run)))
    session = resume(start, run, ema_decay=0.9)
    with torch.no_grad():
        next(session.average.module.parameters()).fill_(float("inf"))
    diverge(session, run)


def test_an_update_that_is_not_finite_is_never_made(start: Start, run: RunDirectory) -> None:
    session = start()
    session.model.register_forward_hook(
        lambda module, inputs, scores: scores * (math.nan if session.progress.step == 2 else 1.0)
    )
    with pytest.raises(DivergedError, match="epoch 1, step 2: the training loss"):
        finish(session, run)
    assert session.progress.step == 2
    assert all(bool(value.isfinite().all()) for value in session.model.state_dict().values())
    report = json.loads(run.divergence.read_text())
    assert (report["epoch"], report["step"], report["position"]) == (0, 2, 2)
    assert report["gradient_norm"] == "nan"
    assert report["example_indices"] == session.batches.order(0)[16:24].tolist()
    assert report["example_names"] == [f"image {index}" for index in report["example_indices"]]
    assert "clip_grad_norm" in report["advice"]


def test_a_diverged_update_of_more_minibatches_than_there_are_names_those_of_the_epoch(
    start: Start, run: RunDirectory
) -> None:
    session = start(accumulate=10**9)  # a loop over so many would not end
    session.model.register_forward_hook(lambda module, inputs, scores: scores * math.nan)
    with pytest.raises(DivergedError):
        finish(session, run)
    report = json.loads(run.divergence.read_text())
    assert sorted(report["example_indices"]) == sorted(session.batches.order(0).tolist())


@pytest.mark.parametrize("strength", [0.0, 1e30])
def test_the_advice_of_a_dead_run_names_lambda_where_there_is_one(
    start: Start, strength: float
) -> None:
    session = start(
        regularization={"kind": "l2", "strength": strength}, optimizer={"name": "sgd", "lr": 1e30}
    )
    with pytest.raises(DivergedError) as problem:
        list(fit(session))
    assert ("regularization.strength" in str(problem.value)) == (strength > 0)


def test_the_report_of_a_dead_run_goes_when_it_is_resumed(start: Start, run: RunDirectory) -> None:
    session = start()
    plant(session, math.nan)
    run.divergence.write_text("{}")
    with pytest.raises(DivergedError):
        finish(session, run)
    assert run.divergence.exists()
    finish(start(), run)
    assert not run.divergence.exists()


def test_batch_norm_on_a_lone_image_is_a_config_error(
    make_images: Callable[..., Any], make_config: Callable[..., Any], cpu: Any
) -> None:
    images = make_images(12, shape=(3, 16, 16))
    config = make_config(model={"name": "fastnet"}, batch_size=1)
    with pytest.raises(ConfigError, match=r"batch_size: .* use at least 2"):
        next(fit(build_session(config, images, images, cpu)))


def test_a_gradient_that_is_not_finite_is_never_followed(start: Start, run: RunDirectory) -> None:
    session = start()
    weight = next(session.model.parameters())
    weight.register_hook(
        lambda gradient: gradient * (math.inf if session.progress.step == 1 else 1)
    )
    with pytest.raises(DivergedError, match="epoch 1, step 1: the gradient"):
        finish(session, run)
    assert bool(weight.isfinite().all())


def test_an_image_that_is_not_finite_is_never_learned(
    start: Start, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    normalise = type(session.batches.normalization).__call__

    def spoil(self: Any, images_BCHW: torch.Tensor, light: Any = None) -> torch.Tensor:
        images_BCHW = normalise(self, images_BCHW, light)
        if session.progress.step == 3:
            images_BCHW[0, 0, 0, 0] = math.nan
        return images_BCHW

    monkeypatch.setattr(type(session.batches.normalization), "__call__", spoil)
    with pytest.raises(DivergedError, match="epoch 1, step 3: "):
        finish(session, run)
    assert all(bool(value.isfinite().all()) for value in session.model.state_dict().values())


def test_a_save_within_an_epoch_looks_at_statistics_and_averages_too(
    start: Start, run: RunDirectory
) -> None:
    session = start(ema_decay=0.9)
    average = session.average

    def spoil_and_save(is_due: bool) -> bool:
        with torch.no_grad():
            next(average.module.parameters()).fill_(math.inf)
        return True

    with pytest.raises(DivergedError, match="state of the model"):
        finish(session, run, should_save=spoil_and_save)
    assert list(run.states) == [0]


def test_clipped_gradients_move_the_weights_no_further_than_they_may(start: Start) -> None:
    plain, clipped = start(epochs=1), start(epochs=1, clip_grad_norm=0.01)
    before = [weight.detach().clone() for weight in clipped.model.parameters()]
    finish(plain)
    finish(clipped)
    moved = [
        (w.detach() - b).norm() for w, b in zip(clipped.model.parameters(), before, strict=True)
    ]
    momentum = 1 / (1 - clipped.config.optimizer.momentum)  # type: ignore[attr-defined]
    longest = clipped.config.optimizer.lr * 0.01 * NUM_MINIBATCHES * momentum
    assert 0 < float(torch.stack(moved).norm()) < longest
    assert not torch.equal(
        plain.checkpoint().model["fc1.weight"], clipped.checkpoint().model["fc1.weight"]
    )


def test_what_a_killed_writer_left_behind_is_removed_at_the_next_start(
    start: Start, run: RunDirectory
) -> None:
    next(fit(start(), Supervision(run)))
    leftover = run.path / ".last.ckpt-0a1b2c3d.tmp"
    leftover.write_bytes(b"half")
    finish(resume(start, run), run)
    assert not leftover.exists()
