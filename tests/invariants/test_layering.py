"""Who may import whom, read from the syntax trees: nothing is imported or run.

A package, or a module at the root, imports only from lower floors and from within itself.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cnn_train"

FLOORS = {
    "errors": 0,
    "version": 0,
    "random_streams": 0,
    "machine": 1,
    "web": 1,
    "config": 2,
    "acceleration": 3,
    "data": 3,
    "models": 3,
    "losses": 3,
    "optim": 3,
    "metrics": 3,
    "experiment": 4,
    "figures": 4,
    "page": 5,
    "checkpoints": 5,
    "runs": 6,
    "training": 7,
    "inference": 7,
    "evaluation": 8,
    "checks": 8,
    "visualize": 8,
    "playground": 8,
    "search": 8,
    "lecture": 9,
    "explore": 9,
    "api": 9,
    "cli": 10,
    "__init__": 10,
    "__main__": 11,
}

# Libraries that belong to one part of the program, and those that have no place in any. Pickle
# serves as a parser there, under an Unpickler that refuses every name but three harmless ones.
HOMES = {
    "yaml": ("config",),
    "typer": ("cli",),
    "rich": ("cli",),
    "click": (),
    "matplotlib": ("figures",),
    "PIL": ("data",),
    "filelock": ("machine.file_lock",),
    "sympy": ("lecture",),
    "pickle": ("data.cifar10",),
    "safetensors": ("checkpoints.foreign", "checkpoints.exporting"),
    "sklearn": ("visualize",),
    "optuna": ("search",),
    "tensorboard": ("metrics",),
    "starlette": ("inference.serving",),
    "uvicorn": ("inference.serving",),
    "markdown_it": ("cli.display.lecture",),
    **dict.fromkeys(("onnx", "onnx_ir", "onnxscript", "onnxruntime"), ("inference",)),
}

# What `cnn-train --help` must not wait for.
HEAVY = {
    "torch", "torchvision", "matplotlib", "pydantic", "numpy", "PIL", "yaml", "safetensors",
    "sympy", "sklearn", "filelock", "starlette", "uvicorn", "optuna",
    "onnx", "onnx_ir", "onnxscript", "onnxruntime",
}  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One imported module: of this package (dotted, without ``cnn_train.``) or of a library."""

    importer: str
    target: str
    is_ours: bool
    at_import_time: bool


def module_name(path: Path) -> str:
    """Return ``data.shapes`` for data/shapes.py, ``data`` for data/__init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] or parts if parts[-1] == "__init__" else parts)


def all_imports() -> list[Import]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        delayed = {id(inner) for outer in delaying_blocks(tree) for inner in ast.walk(outer)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found += imports_of(node, path, at_import_time=id(node) not in delayed)
    return found


def delaying_blocks(tree: ast.Module) -> list[ast.AST]:
    """Return the functions and the ``if TYPE_CHECKING`` blocks, which do not run on import."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]


def imports_of(
    node: ast.Import | ast.ImportFrom, path: Path, *, at_import_time: bool
) -> list[Import]:
    importer = module_name(path)
    if isinstance(node, ast.Import):
        return [Import(importer, alias.name, False, at_import_time) for alias in node.names]
    if not node.level:
        return [Import(importer, node.module or "", False, at_import_time)]
    folder = path.parents[node.level - 1]
    base = folder.joinpath(*(node.module or "").split("."))
    targets = {submodule_or_package(base, alias.name) for alias in node.names}
    return [Import(importer, target, True, at_import_time) for target in sorted(targets)]


def submodule_or_package(base: Path, name: str) -> str:
    """Return the module that ``from base import name`` imports."""
    for path in (base / f"{name}.py", base / name / "__init__.py", base.with_suffix(".py")):
        if path.exists():
            return module_name(path)
    return module_name(base / "__init__.py")


def room_of(module: str) -> str:
    """Return the package at the root, or the module there, that ``module`` belongs to."""
    return module.split(".")[0]


def test_every_package_has_a_floor() -> None:
    assert {room_of(module_name(path)) for path in PACKAGE.rglob("*.py")} == set(FLOORS)


def test_the_root_holds_few_files() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_imports_go_downward_only() -> None:
    """So no two packages can import each other, nor any number of them in a circle."""
    upward = []
    for found in all_imports():
        importer, target = room_of(found.importer), room_of(found.target)
        is_lazy_api = importer == "__init__" and not found.at_import_time
        if not found.is_ours or is_lazy_api or importer == target:
            continue
        if FLOORS[target] >= FLOORS[importer]:
            upward.append(f"{found.importer} imports {found.target}")
    assert not upward, "\n".join(upward)


def test_each_library_is_imported_only_where_it_belongs() -> None:
    astray = [
        f"{found.importer} imports {found.target}"
        for found in all_imports()
        if not found.is_ours and (library := found.target.split(".")[0]) in HOMES
        if not f"{found.importer}.".startswith(tuple(f"{home}." for home in HOMES[library]))
    ]
    assert not astray, "\n".join(astray)


@pytest.mark.parametrize(
    ("start", "libraries", "among"),
    [
        ("cli.main", HEAVY, {"cli.fit.command", "cli.predict", "cli.console"}),
        ("api", {"matplotlib"}, {"training.run_files", "inference.predict"}),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(
    start: str, libraries: set[str], among: set[str]
) -> None:
    """Not even through modules of ours: whatever is imported at the top is followed."""
    imports = [found for found in all_imports() if found.at_import_time]
    reached = {start}
    while new := {f.target for f in imports if f.is_ours and f.importer in reached} - reached:
        reached |= new
    heavy = [
        f"{found.importer} imports {found.target}"
        for found in imports
        if found.importer in reached and found.target.split(".")[0] in libraries
    ]
    assert among <= reached
    assert not heavy, "\n".join(heavy)


def test_modules_import_each_other_relatively() -> None:
    absolute = [
        found.importer
        for found in all_imports()
        if not found.is_ours and found.target.split(".")[0] == "cnn_train"
    ]
    assert absolute == []
