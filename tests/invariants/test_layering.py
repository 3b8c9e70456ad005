"""Who may import whom, read from the syntax trees: nothing is imported or run.

An import goes to a lower layer or stays within its own component. A component is a line of
LAYERS below: a module, or a package with all its modules.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "cnn_train"

# From the bottom up.
LAYERS = (
    {"errors", "version", "runs", "metrics", "inference", "evaluation", "checks", "checkpoints"},
    {
        "config",
        "random_streams",
        "machine",
        "checks.operators",
        "divergence",
        "checks.kinks",
    },
    {"acceleration", "data", "models", "losses", "optim"},
    {
        "metrics.tally",
        "metrics.statistics",
        "inference.views",
        "checkpoints.migration",
        "checkpoints.foreign",
        "checkpoints.matching",
        "checks.slopes",
    },
    {
        "experiment",
        "engine",
        "checkpoints.checkpoint",
        "runs.directory",
        "figures",
        "data_parallel",
    },
    {
        "image_layers",
        "progressive_training",
        "runs.states",
        "checkpoints.inspection",
        "checkpoints.exporting",
    },
    {"save_times", "session", "inference.trained_model", "fine_tuning", "checkpoints.importing"},
    {"checks.rehearsal"},
    {"resuming", "saving", "checks.sanity"},
    {"fit"},
    {
        "evaluation.evaluate",
        "inference.predict",
        "runs.summary",
        "checks.profile",
        "evaluation.class_spread",
        "checks.gradcheck",
        "visualize",
        "playground",
    },
    {"evaluation.slices"},
    {"evaluation.report", "api", "lecture"},
    {"cli"},
    {"__init__", "__main__"},
)

# Libraries that belong to one part of the program, and those that have no place in any. Pickle
# serves as a parser there, under an Unpickler that refuses every name but three harmless ones.
HOMES = {
    "yaml": ("config",),
    "typer": ("cli",),
    "rich": ("cli",),
    "click": (),
    "matplotlib": ("figures",),
    "PIL": ("data",),
    "filelock": ("data", "runs.directory"),
    "sympy": ("lecture",),
    "pickle": ("data.cifar10",),
    "safetensors": ("checkpoints.foreign", "checkpoints.exporting"),
    "sklearn": ("visualize",),
}

# What `cnn-train --help` must not wait for.
HEAVY = {
    "torch", "torchvision", "matplotlib", "pydantic", "numpy", "PIL", "yaml", "safetensors",
    "sympy", "sklearn",
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


def component_of(module: str) -> str | None:
    """Return the longest entry of LAYERS that names the module or a package around it."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    entries = set().union(*LAYERS)
    return next((name for name in names if name in entries), None)


def layer_of(component: str) -> int:
    return next(height for height, layer in enumerate(LAYERS) if component in layer)


def test_every_module_has_a_layer() -> None:
    modules = [module_name(path) for path in PACKAGE.rglob("*.py")]
    homeless = [module for module in modules if component_of(module) is None]
    assert not homeless, f"give these a layer in LAYERS of {Path(__file__).name}: {homeless}"


def test_every_entry_of_the_table_exists() -> None:
    names = {module_name(path) for path in PACKAGE.rglob("*.py")}
    assert set().union(*LAYERS) <= names


def test_imports_go_downward_only() -> None:
    upward = []
    for found in all_imports():
        importer, target = component_of(found.importer), component_of(found.target)
        is_lazy_api = found.importer == "__init__" and not found.at_import_time
        if not found.is_ours or is_lazy_api or importer == target:
            continue
        assert importer and target, f"{found.importer} imports {found.target}, which has no layer"
        if layer_of(target) >= layer_of(importer):
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


def test_the_command_line_imports_nothing_heavy_before_a_command_runs() -> None:
    """Not even through modules of ours: whatever cli.main imports at the top is followed."""
    imports = [found for found in all_imports() if found.at_import_time]
    reached = {"cli.main"}
    while new := {f.target for f in imports if f.is_ours and f.importer in reached} - reached:
        reached |= new
    heavy = [
        f"{found.importer} imports {found.target}"
        for found in imports
        if found.importer in reached and found.target.split(".")[0] in HEAVY
    ]
    assert {"cli.fit.command", "cli.predict", "cli.console"} <= reached
    assert not heavy, "\n".join(heavy)


def test_modules_import_each_other_relatively() -> None:
    absolute = [
        found.importer
        for found in all_imports()
        if not found.is_ours and found.target.split(".")[0] == "cnn_train"
    ]
    assert absolute == []
