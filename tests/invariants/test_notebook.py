"""The notebook runs from top to bottom, cell by cell, without Jupyter."""

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

NOTEBOOK = Path(__file__).parents[2] / "docs" / "python.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def test_every_cell_runs_after_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    for cell in CODE:
        exec(cell, namespace)
    assert isinstance(namespace["figure"], Figure)
    assert namespace["accuracy"] > 0.8
    assert [path.name for path in tmp_path.iterdir()] == ["shapes.ckpt"]


def test_it_keeps_no_outputs_and_draws_without_global_state() -> None:
    for cell in CELLS:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert not any("pyplot" in cell for cell in CODE)
