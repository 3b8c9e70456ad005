"""Random configs, right and wrong: every valid one is usable, no text is a traceback or a hang."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from cnn_train.config.explain import explain, render_yaml
from cnn_train.config.loading import load_experiment
from cnn_train.experiment import ExperimentConfig
from cnn_train.losses import LOSSES
from cnn_train.optim import OPTIMIZERS
from cnn_train.optim.schedules import SCHEDULES

Run = Callable[..., Any]

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
LARGEST = 10**50  # YAML numbers may have 100 digits


def bounds_of(metadata: list[Any]) -> dict[str, Any]:
    """Collect what the constraints ``gt``, ``ge``, ``lt``, ``le`` and ``min_length`` say."""
    names = ("gt", "ge", "lt", "le", "min_length")
    return {name: getattr(c, name) for c in metadata for name in names if hasattr(c, name)}


def whole_numbers(bounds: dict[str, Any]) -> st.SearchStrategy[int]:
    least = bounds.get("ge", bounds.get("gt", -LARGEST - 1) + 1)
    most = bounds.get("le", bounds.get("lt", LARGEST + 1) - 1)
    return st.integers(least, most) | st.integers(least, min(least + 100, most))


def decimal_numbers(bounds: dict[str, Any]) -> st.SearchStrategy[float]:
    return st.floats(
        bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt")),
        exclude_min="gt" in bounds, exclude_max="lt" in bounds,
        allow_nan=False, allow_infinity=False,
    )  # fmt: skip


def values(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    """Draw plain values, as YAML has them, for a field of this type and these constraints."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *extra = arguments
        return values(inner, [c for e in extra for c in (getattr(e, "metadata", None) or [e])])
    if origin in (Union, UnionType):
        return st.one_of([values(part, metadata) for part in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is ...:
        least = bounds_of(metadata).get("min_length", 0)
        return st.lists(values(arguments[0], []), min_size=least, max_size=4)
    if origin is tuple:
        return st.tuples(*(values(part, []) for part in arguments)).map(list)
    if origin is dict:
        return st.dictionaries(WORDS, values(arguments[1], []), max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return sections(annotation)
    simple: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
        bool: st.booleans, type(None): st.none, str: lambda: WORDS, Path: lambda: WORDS,
        int: lambda: whole_numbers(bounds_of(metadata)),
        float: lambda: decimal_numbers(bounds_of(metadata)),
    }  # fmt: skip
    return simple[annotation]()


def sections(config: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw settings of one config class: its tag, and any of the others."""
    fields: dict[str, FieldInfo] = config.model_fields
    drawn = {name: values(field.annotation, field.metadata) for name, field in fields.items()}
    tags = {name: drawn.pop(name) for name in ("name", "kind") if name in drawn}
    needed = {name: drawn.pop(name) for name, field in fields.items() if field.is_required()}
    return st.fixed_dictionaries({**tags, **needed}, optional=drawn)


def validated(tree: dict[str, Any]) -> ExperimentConfig:
    """Return the config; give the example up where a rule that ties two settings refuses it."""
    try:
        return ExperimentConfig.model_validate(tree)
    except ValidationError:
        assume(False)
        raise


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(sections(ExperimentConfig))
def test_a_valid_config_survives_rendering_and_reading(tree: dict[str, Any]) -> None:
    experiment = validated(tree)
    for render in (render_yaml, explain):
        assert (
            load_experiment("c.yaml", (), ExperimentConfig, text=render(experiment)) == experiment
        )


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(sections(ExperimentConfig))
def test_what_show_prints_check_accepts_and_shows_alike(
    run_main: Run, tree: dict[str, Any]
) -> None:
    text = render_yaml(validated(tree)).encode()
    shown = run_main("config", "show", "-", stdin=text)
    assert shown.exit_code == 0
    checked = run_main("config", "check", "-", stdin=shown.stdout.encode())
    assert (checked.exit_code, checked.stdout) == (0, "<stdin>: ok\n")
    assert run_main("config", "show", "-", stdin=shown.stdout.encode()).stdout == shown.stdout


def classes(*tables: dict[str, Any]) -> Iterator[type[BaseModel]]:
    for table in tables:
        yield from dict.fromkeys(table.values())


SMALL_NETWORKS = (
    {"name": "linear"}, {"name": "mlp", "hidden_sizes": [7]}, {"name": "lenet"},
    {"name": "fastnet", "widths": [4, 4, 4, 4]}, {"name": "resnet20", "width": 2},
)  # fmt: skip
TRAINABLE = st.fixed_dictionaries(
    {
        "data": st.just({"name": "shapes", "num_train": 40, "num_test": 20, "image_size": 32}),
        "model": st.sampled_from(SMALL_NETWORKS),
        "optimizer": st.one_of([sections(one) for one in classes(OPTIMIZERS)]),
        "epochs": st.just(1),
    },
    optional={
        "loss": st.one_of([sections(one) for one in classes(LOSSES)]),
        "schedule": st.one_of([sections(one) for one in classes(SCHEDULES)]),
        **{
            name: values(field.annotation, field.metadata)
            for name, field in ExperimentConfig.model_fields.items()
            if name in ("regularization", "augment", "progressive_size", "data_selection",
                        "ema_decay", "batch_size", "accumulate", "stop", "seed", "precision",
                        "sync_batch_norm")
        },
    },
)  # fmt: skip


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(TRAINABLE)
def test_a_valid_config_takes_a_step_or_says_why_not(
    run_main: Run, trained: Path, tree: dict[str, Any]
) -> None:
    text = render_yaml(validated(tree)).encode()
    arguments = ("--limit-batches", 1, "--device", "cpu", "--run-root", trained / "fuzzed")
    ended = run_main("fit", "--config", "-", *arguments, stdin=text)
    event(f"exit code {ended.exit_code}")
    assert ended.exit_code in (0, 2, 5), ended.stderr  # 2: it does not suit these images


EXAMPLE = Path(__file__).parents[2].joinpath("configs/speedrun_cpu.yaml").read_bytes()
BYTES = st.binary(max_size=4) | st.sampled_from(
    [b"[", b"]", b"{", b"}", b": ", b"\n", b"\t", b"&a ", b"*a", b"!!python/name:os.system ",
     b"---\n", b"'", b'"', b"#", b"|", b">", b"%YAML 9", b"-", b"\xff", b"\0", b"1e999", b".nan"]
)  # fmt: skip
EDITS = st.lists(
    st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 20), BYTES), min_size=1, max_size=6
)


@settings(deadline=None, max_examples=200)
@given(EDITS)
def test_a_damaged_config_is_never_a_traceback_nor_a_hang(
    run_main: Run, edits: list[tuple[int, int, bytes]]
) -> None:
    content = bytearray(EXAMPLE)
    for start, num_removed, new in edits:
        content[start : start + num_removed] = new
    start_seconds = time.monotonic()
    ended = run_main("config", "check", "-", stdin=bytes(content))
    assert time.monotonic() - start_seconds < 60  # it takes milliseconds where it does not hang
    assert ended.exit_code in (0, 2)
    if ended.exit_code:
        assert all(line.startswith("error: <stdin>:") for line in ended.stderr.splitlines())


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=3), WORDS)
def test_no_override_is_a_traceback(run_main: Run, overrides: list[str], value: str) -> None:
    options = [f"--set={text}" for text in (*overrides, f"optimizer.lr={value}")]
    ended = run_main("config", "check", "-", *options, stdin=b"epochs: 1")
    assert ended.exit_code in (0, 2)
