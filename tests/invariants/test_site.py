"""The pages build into a site without a warning, and name what the package offers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import cnn_train

ROOT = Path(__file__).parents[2]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Winograd" in (tmp_path / "performance.html").read_text("utf-8")


def test_the_api_page_names_every_public_function() -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    named = set(re.findall(r"autofunction:: (\w+)", page))
    assert named == set(cnn_train.__all__) - {"__version__"}


def test_the_citation_names_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {cnn_train.__version__}\n" in citation
