"""What the code never does, read from its syntax trees and texts."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cnn_train"


@cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """Return (place, called expression, node) for every call in the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                found.append((place, ast.unparse(node.func), node))
    return found


@pytest.mark.parametrize(
    "forbidden", ["eval", "exec", "print", "input", "breakpoint", "compile", "__import__"]
)
def test_no_builtin_runs_text_or_talks_past_the_console(forbidden: str) -> None:
    assert [place for place, called, _ in calls() if called == forbidden] == []


def test_no_module_uses_pyplot() -> None:
    """Its global state leaks memory and may need a screen; figures are objects here."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "pyplot" not in ast.unparse(node), path


def test_files_are_unpickled_only_with_weights_only() -> None:
    loads = [(place, node) for place, called, node in calls() if called.endswith("torch.load")]
    assert loads
    for place, node in loads:
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert keywords.get("weights_only") == "True", place


def test_pickles_are_read_by_our_own_restricted_unpickler_only() -> None:
    unsafe = ("pickle.load", "pickle.loads", "pickle.Unpickler")
    assert [place for place, called, _ in calls() if called in unsafe] == []


def test_yaml_is_read_by_our_own_safe_loader_only() -> None:
    unsafe = ("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.safe_load")
    assert [place for place, called, _ in calls() if called in unsafe] == []


def test_the_training_loop_never_waits_for_the_device() -> None:
    """``.item()``, ``.cpu()`` and float() of a tensor would stop the queue at every minibatch."""
    tree = ast.parse((PACKAGE / "training" / "loop.py").read_text("utf-8"))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {name.rpartition(".")[2] for name in called}
    assert "backward" in names
    assert names.isdisjoint({"item", "cpu", "numpy", "tolist", "float", "int", "bool"})


def test_no_module_draws_from_the_global_generators_of_python_or_numpy() -> None:
    """A generator made from a seed (numpy.random.Generator and its kin) is what draws."""
    own = ("Generator", "SeedSequence", "MT19937", "PCG64", "Philox", "default_rng")
    drawing = re.compile(r"(np|numpy)\.random\.(\w+)|random\.(\w+)")
    for place, called, _ in calls():
        if found := drawing.fullmatch(called):
            assert found.group(2) in own, f"{place}: {called}"


@pytest.mark.parametrize("folder", ["cnn_train", "configs", "scripts", "README.md", "CHANGELOG.md"])
def test_nothing_is_left_to_do_and_no_machine_is_named(repository: Path, folder: str) -> None:
    root = repository / folder
    paths = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    texts = {path: path.read_bytes().decode(errors="ignore") for path in paths
             if "__pycache__" not in path.parts}  # fmt: skip
    assert texts
    for path, text in texts.items():
        found = re.search(r"\b(TODO|FIXME|XXX)\b|(?<![\w.])/(root|home|work|Users)/", text)
        assert not found, f"{path}: {found and found.group()}"


def test_the_number_of_lines_of_a_module_stays_readable() -> None:
    """50 to 200 is the aim; nothing may grow beyond 260 without being taken apart."""
    long = {
        path.name: lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 260
    }
    assert long == {}
