"""Links and names in the documents lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "cnn_train"
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def prose(path: Path) -> str:
    """Return a document without its code blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return what the titles of a document are called in an address, as GitHub does."""
    titles = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_document
def test_every_link_leads_to_a_file_and_a_title_that_exist(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", prose(path))
    for file, title in links:
        target = path.parent / file if file else path
        assert target.exists(), file
        assert not title or title in anchors(target), f"{file}#{title}"


@every_document
def test_every_script_shown_exists(path: Path) -> None:
    for name in re.findall(r"\bscripts/\w+", path.read_text("utf-8")):
        assert (REPOSITORY / name).exists(), name


@every_document
def test_nothing_is_left_to_fill_in(path: Path) -> None:
    left = r"^[A-Z]+_[A-Z_]+$|\b[A-Z]+_FIGURES\b"
    assert re.findall(left, path.read_text("utf-8"), re.MULTILINE) == []


def definitions(path: Path) -> set[str]:
    """Return the functions and classes of a module, and methods as ``Class.method``."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
            inner = getattr(node, "body", [])
            names |= {
                f"{node.name}.{one.name}" for one in inner if isinstance(one, ast.FunctionDef)
            }
    return names


def test_every_function_that_the_architecture_names_exists() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    named = re.findall(r"`([\w/]+\.py):([\w.]+)`", text)
    assert len(named) >= 20
    missing = [f"{file}:{name}" for file, name in named if name not in definitions(PACKAGE / file)]
    assert missing == []


def test_the_architecture_shows_the_floors_that_the_layering_test_holds() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    shown = {name: int(floor) for floor, name in re.findall(r"^\| (\d+) \| `(\w+)`", text, re.M)}
    source = (REPOSITORY / "tests" / "invariants" / "test_layering.py").read_text("utf-8")
    (table,) = re.findall(r"^FLOORS = (\{.*?^\})", source, re.MULTILINE | re.DOTALL)
    assert shown == {name: n for name, n in ast.literal_eval(table).items() if name[:2] != "__"}
