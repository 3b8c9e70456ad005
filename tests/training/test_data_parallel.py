"""Two processes against one, at the same global minibatches. The two are started once for all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torture_campaign.children import ForkServer

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.data.batches import plan_epoch
from cnn_train.data.image_set import ImageSet
from cnn_train.data.selection import NEVER
from cnn_train.errors import ConfigError, InterruptedRun, UsageError
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.processes import ALONE, World
from cnn_train.models.synchronized_batch_norm import synchronize_batch_norm
from cnn_train.runs.directory import RunDirectory
from cnn_train.training.building import build_session
from cnn_train.training.data_parallel import check_parts, device_of, spread, with_own_dropout
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.loop import train_epoch
from cnn_train.training.resuming import resume_session

WORKER = Path(__file__).with_name("distributed_worker.py")

# 31 images: minibatches of 7 are cut 3 + 4, and the last of an epoch, of 3 images, 1 + 2.
TINY: dict[str, Any] = {
    "model": {"name": "mlp", "hidden_sizes": [8]},
    "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
    "regularization": {"kind": "l2", "strength": 0.01},
    "augment": {"flip": "random", "translate": 1, "cutout": 2},
    "batch_size": 7,
    "epochs": 2,
    "precision": "float32",
}
WITH_BATCH_NORM: dict[str, Any] = {
    "model": {"name": "wide_resnet", "depth": 10, "width": 1},
    "batch_size": 13,  # the last minibatch, of 5, is cut 2 + 3
}
RECIPES: dict[str, dict[str, Any]] = {
    "even parts": {"batch_size": 8},
    "uneven parts": {},
    "hinge with l1": {"loss": {"name": "hinge"}, "regularization": {"kind": "l1"}},
    "full batch": {"optimizer": {"name": "gd", "lr": 0.1}, "epochs": 4},
    "averaged weights": {"ema_decay": 0.9},
    "mixed images": {"augment": {"translate": 1, "mixup": 0.4, "cutmix": 1.0}},
    "hardest images": {"data_selection": {"keep": 0.55, "from_epoch": 1}, "epochs": 4},
    "adamw": {"optimizer": {"name": "adamw", "lr": 0.01}},
    "balanced and weighted classes, accumulated": {
        "data": {"sampling": "balanced"}, "loss": {"weights": [1.0, 5.0, 0.2]}, "accumulate": 2,
    },
    "last layer first": {"fine_tuning": {"head_first_epochs": 1, "body_lr": 0.5}, "epochs": 3},
    "frozen body": {"fine_tuning": {"freeze": ["body"]}},
}  # fmt: skip
SYNCHRONISED = WITH_BATCH_NORM | {"sync_batch_norm": True}

RELATIVE = 1e-5
"""Of the largest value of each tensor. Sums in another order differ by 1e-7 in a step."""


def noise(num_examples: int, seed: int) -> ImageSet:
    """Images whose brightness tells their class, but not always."""
    generator = torch.Generator().manual_seed(seed)
    labels_N = torch.arange(num_examples) % 3
    noise_NCHW = torch.randint(0, 150, (num_examples, 3, 8, 8), generator=generator)
    pixels_NCHW = (noise_NCHW + 30 * labels_N[:, None, None, None]).to(torch.uint8)
    names = tuple(f"image {i}" for i in range(num_examples))
    return ImageSet(pixels_NCHW, labels_N, ("dark", "grey", "light"), names)


def job(kind: str, num_val: int = 12, **sections: Any) -> dict[str, Any]:
    """Describe what to do with the tiny config after replacing whole sections."""
    return {"kind": kind, "config": TINY | sections, "train": noise(31, 0),
            "val": noise(num_val, 1)}  # fmt: skip


def start(job: dict[str, Any]) -> Any:
    config = ExperimentConfig.model_validate(job["config"])
    return build_session(config, job["train"], job["val"], device_of(ALONE, "cpu"))


def finish(session: Any) -> Any:
    for _ in fit(session):
        pass
    return session


def train(job: dict[str, Any]) -> Any:
    return finish(start(job))


def stop(job: dict[str, Any], run: RunDirectory, num_minibatches: int) -> None:
    looks = iter(range(num_minibatches - 1))
    with pytest.raises(InterruptedRun):
        for _ in fit(start(job), Supervision(run, should_stop=lambda: next(looks, None) is None)):
            pass


def resume(job: dict[str, Any], run: RunDirectory) -> Any:
    session = start(job)
    resume_session(session, load_checkpoint(run.last_checkpoint))
    return finish(session)


def assert_close(
    found: dict[str, Tensor], expected: dict[str, Tensor], relative: float = RELATIVE
) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        largest = float(value.abs().max())
        torch.testing.assert_close(found[name], value, rtol=0, atol=relative * largest, msg=name)


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


NORM_INPUT = 3 + 2 * torch.randn(7, 5, 4, 3, generator=torch.Generator().manual_seed(0))
NORM_SLOPE = torch.randn(7, 5, 4, 3, generator=torch.Generator().manual_seed(1))


def norm_job(dtype: torch.dtype) -> dict[str, Any]:
    layer = nn.BatchNorm2d(5).to(dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(0.5, 2, 5))
        layer.bias.copy_(torch.linspace(-1, 1, 5))
    return {"kind": "normalize", "dtype": dtype, "state": layer.state_dict(),
            "x": NORM_INPUT.to(dtype), "dy": NORM_SLOPE.to(dtype)}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two processes")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, RunDirectory]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cnn_train.training.run_files.RunFiles.save_curves", lambda files: None)
        names = ("two-one", "one-two", "same", "hard")
        found = {name: RunDirectory.create(folder, name) for name in names}
        stop(job("train"), found["one-two"], 2)
    return found


@pytest.fixture(scope="module")
def results(
    folder: Path,
    runs: dict[str, RunDirectory],
    fork_server: ForkServer,
    invite_processes: Callable[[int], list[dict[str, str]]],
) -> dict[str, list[Any]]:
    """By job's name, what process 0 and process 1 found."""
    dropout = {"model": {"name": "mlp", "hidden_sizes": [8], "dropout": 0.5}}
    hardest = RECIPES["hardest images"] | {"checkpoint": {"keep": 9}}
    jobs: dict[str, dict[str, Any]] = {
        **{name: job("train", **recipe) for name, recipe in RECIPES.items()},
        "synchronised": job("train", **SYNCHRONISED),
        "per process": job("train", **WITH_BATCH_NORM, ema_decay=0.5),
        "float64": job("train_in_float64"),
        "float64, synchronised": job("train_in_float64", **WITH_BATCH_NORM),
        "images": job("collect_batches"),
        "validation": job("validate", num_val=40_011),
        "norm float32": norm_job(torch.float32),
        "norm float64": norm_job(torch.float64),
        "stopped": job("train") | {"run": runs["two-one"].path, "stop_after": 2},
        "resumed": job("train") | {"run": runs["one-two"].path, "resume": True},
        "dropout": job("train", **dropout),
        "dropout stopped": job("train", **dropout) | {"run": runs["same"].path, "stop_after": 3},
        "dropout resumed": job("train", **dropout) | {"run": runs["same"].path, "resume": True},
        "hard stopped": job("train", **hardest) | {"run": runs["hard"].path, "stop_after": 8},
        "hard resumed": job("train", **hardest) | {"run": runs["hard"].path, "resume": True},
        "diverged": job("train", optimizer={"name": "sgd", "lr": 1e30}, epochs=9),
        "talk": {"kind": "talk"},
    }
    torch.save(jobs, folder / "jobs.pt")
    told = {"jobs": str(folder / "jobs.pt"), "results": str(folder)}
    children = [
        fork_server.start(f"{WORKER}:main", told | {"environment": environment})
        for environment in invite_processes(2)
    ]
    ends = [child.wait(240) for child in children]
    assert [end.exit_code for end in ends] == [0, 0], ends
    found = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]
    return {name: [found[0][name], found[1][name]] for name in jobs}


@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_learn_what_one_learns_without_batch_norm(
    results: dict[str, list[Any]], name: str
) -> None:
    session = train(job("train", **RECIPES[name]))
    first, second = results[name]
    assert_close(first["model"], session.checkpoint().model)
    assert_equal(second["model"], first["model"])
    if session.average:
        assert_close(first["averaged_model"], session.checkpoint().averaged_model)
    for ours, theirs in zip(first["records"], session.progress.records, strict=True):
        keys = ["train_loss", "train_penalty", "train_accuracy", "val_loss", "val_accuracy"]
        for key in [*keys, "val_balanced_accuracy", "val_macro_f1", "best_epoch"]:
            assert ours[key] == pytest.approx(theirs[key], rel=1e-5), key


def test_two_processes_learn_what_one_learns_with_synchronised_batch_norm(
    results: dict[str, list[Any]],
) -> None:
    """By the norm of all weights: a ReLU that a last bit switches moves single biases by more."""
    first, second = results["synchronised"]
    expected = train(job("train", **SYNCHRONISED)).checkpoint().model
    found_D, expected_D = (torch.cat([v.double().flatten() for v in model.values()])
                           for model in (first["model"], expected))  # fmt: skip
    assert float((found_D - expected_D).norm() / expected_D.norm()) < 1e-4
    assert_equal(second["model"], first["model"])


def test_batch_norm_per_process_learns_something_else_but_the_same_in_every_process(
    results: dict[str, list[Any]],
) -> None:
    first, second = results["per process"]
    expected = train(job("train", **WITH_BATCH_NORM, ema_decay=0.5)).checkpoint().model
    learned = [name for name in expected if "running" not in name and "num_batches" not in name]
    assert not torch.allclose(first["model"]["fc.weight"], expected["fc.weight"], rtol=1e-3)
    assert_equal({n: second["model"][n] for n in learned}, {n: first["model"][n] for n in learned})
    assert [r["val_loss"] for r in second["records"]] == [r["val_loss"] for r in first["records"]]


@pytest.mark.parametrize("name", ["float64", "float64, synchronised"])
def test_in_float64_the_difference_is_a_matter_of_rounding(
    results: dict[str, list[Any]], name: str
) -> None:
    sections = WITH_BATCH_NORM if "synchronised" in name else {}
    session = start(job("", **sections))
    model = session.model.double()
    batches = [replace(b, images_BCHW=b.images_BCHW.double()) for b in session.batches.epoch(0)]
    for _ in train_epoch(model, session.loss_fn, session.penalty, session.optimizer,
                         session.schedule, batches, 0):  # fmt: skip
        pass
    assert_close(results[name][0]["model"], model.state_dict(), 1e-11)


def test_the_images_trained_on_are_identical_for_any_number_of_processes(
    results: dict[str, list[Any]],
) -> None:
    whole = list(start(job("")).batches.epoch(1))
    for position, batch in enumerate(whole):
        for key, expected in (("images", batch.images_BCHW), ("labels", batch.labels_B)):
            parts = [result[key][position] for result in results["images"]]
            assert torch.equal(torch.cat(parts), expected)
    assert [len(part) for part in results["images"][0]["labels"]] == [3, 3, 3, 3, 1]


def test_validation_counts_every_image_once_and_equally(results: dict[str, list[Any]]) -> None:
    """8,000 images are one minibatch of so few pixels: 40,011 make six, the last of 11."""
    alone = start(job("", num_val=40_011)).validate()
    for found in results["validation"]:
        assert found["num_examples"] == alone.num_examples == 40_011
        assert int(found["num_correct"]) == int(alone.num_correct)
        assert torch.equal(found["counts_3K"], alone.counts_3K)
        assert float(found["loss_sum"]) == pytest.approx(float(alone.loss_sum), rel=1e-6)


@pytest.mark.parametrize(("name", "tolerance"), [("norm float32", 1e-5), ("norm float64", 1e-13)])
def test_synchronised_batch_norm_is_torchs_batch_norm_of_the_whole_minibatch(
    results: dict[str, list[Any]], name: str, tolerance: float
) -> None:
    task = norm_job(torch.float32 if "32" in name else torch.float64)
    layer = nn.BatchNorm2d(5).to(task["dtype"])
    layer.load_state_dict(task["state"])
    x_BCHW = task["x"].clone().requires_grad_()
    y_BCHW = layer(x_BCHW)
    y_BCHW.backward(task["dy"])
    parts = results[name]
    close = {"rtol": tolerance, "atol": tolerance}
    torch.testing.assert_close(torch.cat([part["y"] for part in parts]), y_BCHW, **close)
    (dx1, dw1, db1), (dx2, dw2, db2) = (part["gradients"] for part in parts)
    torch.testing.assert_close(torch.cat([dx1, dx2]), x_BCHW.grad, **close)
    torch.testing.assert_close(dw1 + dw2, layer.weight.grad, **close)
    torch.testing.assert_close(db1 + db2, layer.bias.grad, **close)
    for part in parts:
        for key, value in layer.state_dict().items():
            torch.testing.assert_close(part["state"][key], value, **close)


def test_a_run_stopped_with_two_processes_goes_on_with_one(
    results: dict[str, list[Any]], runs: dict[str, RunDirectory]
) -> None:
    first, second = results["stopped"]
    assert first["end"] == second["end"]
    assert "after 2 minibatches; all saved" in first["end"]
    checkpoint = load_checkpoint(runs["two-one"].last_checkpoint)
    assert (checkpoint.position, checkpoint.partial_tally["num_examples"]) == (2, 14)
    expected, session = train(job("train")), resume(job("train"), runs["two-one"])
    assert_close(session.checkpoint().model, expected.checkpoint().model)
    accuracies = [record["train_accuracy"] for record in session.progress.records]
    assert accuracies == [record["train_accuracy"] for record in expected.progress.records]


def test_a_run_stopped_with_one_process_goes_on_with_two(results: dict[str, list[Any]]) -> None:
    expected = train(job("train"))
    first, second = results["resumed"]
    assert first["step"] == second["step"] == expected.progress.step
    assert_close(first["model"], expected.checkpoint().model)
    accuracies = [record["train_accuracy"] for record in first["records"]]
    assert accuracies == [record["train_accuracy"] for record in expected.progress.records]


def test_a_resumed_run_of_as_many_processes_has_the_same_bits_with_dropout_too(
    results: dict[str, list[Any]],
) -> None:
    for straight, resumed in zip(results["dropout"], results["dropout resumed"], strict=True):
        assert_equal(resumed["model"], straight["model"])


def test_processes_that_stopped_among_the_hardest_images_go_on_with_the_same_ones(
    results: dict[str, list[Any]], runs: dict[str, RunDirectory]
) -> None:
    assert "stopped in epoch 2 after 2 minibatches" in results["hard stopped"][1]["end"]
    state = load_checkpoint(runs["hard"].state(7))
    assert int((state.image_losses[1] > -NEVER).sum()) == 2 * 7  # those of both processes
    for straight, resumed in zip(results["hardest images"], results["hard resumed"], strict=True):
        assert_equal(resumed["model"], straight["model"])
        assert resumed["records"][-1]["train_loss"] == straight["records"][-1]["train_loss"]
    session = start(job("train", **RECIPES["hardest images"]))
    resume_session(session, state)
    assert_close(finish(session).checkpoint().model, results["hardest images"][0]["model"])


def test_each_process_drops_out_its_own_units(results: dict[str, list[Any]]) -> None:

    draws = []
    for rank in (0, 1):
        batches = with_own_dropout(iter([None, None]), World(rank, 2), 0, 0, 0)  # type: ignore[list-item]
        draws += [torch.rand(4).tolist() for _ in batches]
    assert len({tuple(draw) for draw in draws}) == 4


def test_a_diverged_run_ends_alike_in_every_process(results: dict[str, list[Any]]) -> None:
    first, second = results["diverged"]
    assert "is not finite at learning rate" in first["end"]
    assert first["end"] == second["end"]


def test_checkpoints_of_two_processes_have_the_keys_of_one(
    results: dict[str, list[Any]], runs: dict[str, RunDirectory]
) -> None:
    assert list(load_checkpoint(runs["two-one"].last_checkpoint).model) == list(
        start(job("")).model.state_dict()
    )
    assert list(results["synchronised"][0]["model"]) == list(
        start(job("", **WITH_BATCH_NORM)).model.state_dict()
    )


def test_processes_tell_each_other_small_things(results: dict[str, list[Any]]) -> None:
    for found in results["talk"]:
        assert found["sum"] == [2, 5, 2**53 - 1]
        assert found["largest"] == 0
        assert found["any"] == [True, False]
        assert found["told"] == ["a", {"b": None}]
        assert not found["shared"].any()


def test_alone_nothing_is_wrapped_and_nothing_synchronised() -> None:
    model = nn.Sequential(nn.BatchNorm2d(2))
    assert spread(model, device_of(ALONE, "cpu"), ALONE, sync_batch_norm=True) is model
    assert type(model[0]) is nn.BatchNorm2d


def test_a_synchronised_layer_keeps_its_names_and_measures_as_before() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)).eval()
    names, layer = list(model.state_dict()), model[1]
    images_BCHW = torch.randn(4, 2, 5, 5)
    expected = model(images_BCHW)
    synchronize_batch_norm(model)
    assert list(model.state_dict()) == names
    assert model[1] is layer
    assert torch.equal(model(images_BCHW), expected)


def test_a_minibatch_that_leaves_a_process_without_an_image_is_refused() -> None:
    plan = plan_epoch(31, 8)  # the last has 7
    model = nn.Linear(1, 1)
    check_parts(plan, model, World(0, 7), sync_batch_norm=False)
    with pytest.raises(ConfigError, match=r"^batch_size: .* has 7 images, too few for 8 processes"):
        check_parts(plan, model, World(0, 8), sync_batch_norm=False)


def test_batch_norm_of_a_single_image_is_refused_unless_synchronised() -> None:
    plan, model = plan_epoch(31, 8), nn.BatchNorm2d(1)
    check_parts(plan, model, World(0, 3), sync_batch_norm=False)
    check_parts(plan, model, World(0, 4), sync_batch_norm=True)
    with pytest.raises(ConfigError, match=r"a single one; .* sync_batch_norm: true"):
        check_parts(plan, model, World(0, 4), sync_batch_norm=False)


@pytest.mark.parametrize("request_", ["cuda:0", "cuda:1", "mps"])
def test_processes_do_not_share_a_gpu(request_: str) -> None:
    with pytest.raises(UsageError, match="2 processes cannot share it"):
        device_of(World(0, 2), request_)


def test_several_processes_can_share_the_cpu() -> None:
    assert device_of(World(0, 2), "cpu").torch_device.type == "cpu"
