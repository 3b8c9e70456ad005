"""The campaign as a program, and each of its parts in fewer attempts than ``--quick`` makes."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
import typer
from torture_campaign import bad_inputs, cost, signals
from torture_campaign.__main__ import PARTS, torture
from torture_campaign.campaign import Campaign
from torture_campaign.rows import Count, Measure, Row

SLOW = ("hostile", "signals")


def test_the_program_counts_in_a_document_and_ends_well_only_if_everything_survived(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "torture_campaign.__main__"
    monkeypatch.setattr(f"{program}.fork_server", lambda place: nullcontext(campaign.server))
    torture(only="power", quick=True, json_to="-")
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["part"] for row in rows} == {"power"}
    assert all(row["ours"]["good"] == row["ours"]["of"] > 0 for row in rows)
    lost = Row("power", "a save", Count(1, 2), failures=("neither loads",))
    monkeypatch.setitem(PARTS, "power", lambda campaign: iter([lost]))
    with pytest.raises(typer.Exit, match="1"):
        torture(only="power", quick=True)
    assert "a save: neither loads" in capsys.readouterr().out


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make fewer attempts than ``--quick``, and be patient: the machine may be busy."""
    config = tmp_path / "tiny.yaml"
    config.write_text("model: {name: linear}\nbatch_size: 8\n")
    monkeypatch.setattr(cost, "CONFIG", config)
    monkeypatch.setitem(cost.DRAWN, True, "{name: shapes, num_train: 60, num_test: 10}")
    monkeypatch.setattr(Campaign, "amount", few)
    for part in (bad_inputs, signals):
        monkeypatch.setattr(part, "PATIENCE_SECONDS", 60)


def few(campaign: Campaign, full: int, quick: int) -> int:
    """Make a third of the quick attempts, four at least; where they are strides, triple them."""
    return min(quick, max(4, quick // 3)) if quick < full else 3 * quick


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=pytest.mark.slow) if part in SLOW else part for part in PARTS]
)
def test_everything_survives_every_part(campaign: Campaign, part: str) -> None:
    rows = list(PARTS[part](campaign))
    assert rows and {row.part for row in rows} == {part}
    assert [row for row in rows if not row.is_kept] == []
    if part == "flips":
        plain = rows[0].plain
        assert isinstance(plain, Count) and plain.good < plain.of
    if part == "cost":  # how much is for whole epochs on real images to say
        assert all(isinstance(row.ours, Measure) and row.ours.value > 0 for row in rows)
