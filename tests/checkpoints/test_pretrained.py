"""A trained model that ships is found by its name; what its card says is read."""

from pathlib import Path

import pytest

from cnn_train.checkpoints import pretrained
from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.checkpoints.pretrained import find_card, list_cards, list_kept, locate, read_card
from cnn_train.errors import CheckpointError

CARD = """# {name}

Tells cats
from dogs.

|  |  |
|---|---|
| config | quickstart |
| test accuracy | {percent} % (95 % interval 1 to 2 %) |
| size | 1 MB |

Words | that | are no fact |
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let two models ship, and stand in an empty folder."""
    ships, here = tmp_path / "ships", tmp_path / "here"
    for place in (ships, here):
        place.mkdir()
    for name, percent in (("poor", 40.04), ("fine", 90.5)):
        (ships / f"{name}.md").write_text(CARD.format(name=name, percent=percent))
        (ships / f"{name}.ckpt").write_text(name)
    monkeypatch.setattr(pretrained, "FOLDER", ships)
    monkeypatch.setenv("CNN_TRAIN_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(here)
    return ships


def test_a_card_has_a_summary_and_facts(folder: Path) -> None:
    card = read_card(folder / "fine.md")
    assert card.summary == "Tells cats from dogs."
    assert card.facts == {
        "config": "quickstart", "test accuracy": "90.5 % (95 % interval 1 to 2 %)", "size": "1 MB"
    }  # fmt: skip
    assert card.accuracy == 0.905
    assert card.address == card.to_json()["checkpoint"] == "pretrained:fine"


def test_the_most_accurate_is_the_first(folder: Path) -> None:
    assert [card.name for card in list_cards()] == ["fine", "poor"]


def test_a_name_with_its_prefix_is_the_file_that_ships(folder: Path) -> None:
    assert locate(Path("pretrained:poor")) == folder / "poor.ckpt"
    assert find_card("pretrained:poor") == find_card("poor")


def test_any_other_path_is_left_alone_and_a_file_of_that_name_wins(folder: Path) -> None:
    Path("pretrained:poor").touch()
    for path in ("pretrained:poor", "poor", "runs/latest", "x/pretrained:fine"):
        assert locate(Path(path)) == Path(path)


@pytest.mark.parametrize("name", ["nofile", "", "../ships/poor", "poor.ckpt"])
def test_another_name_is_refused_with_the_choices(folder: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=r"no such model;.* there are fine, poor$"):
        load_checkpoint(Path(f"pretrained:{name}"))


def test_the_nearest_name_is_offered_and_a_bare_name_gets_its_prefix(folder: Path) -> None:
    for name, offer in (("pretrained:pore", "pretrained:poor"), ("fine", "pretrained:fine")):
        with pytest.raises(CheckpointError, match=f"did you mean {offer}"):
            load_checkpoint(Path(name))


def test_a_model_in_the_data_directory_has_a_name_too_but_hides_none_that_ships(
    folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "data" / folder.name
    kept.mkdir(parents=True)
    for name in ("best", "fine", "absent"):
        (kept / f"{name}.md").write_text(CARD.format(name=name, percent=99))
        (kept / f"{name}.ckpt").write_text(name)
    (kept / "absent.ckpt").unlink()
    (kept / "torn.md").write_text("# torn")
    (kept / "a_folder.md").mkdir()
    assert [card.name for card in list_kept()] == ["best"]
    assert locate(Path("pretrained:best")) == kept / "best.ckpt"
    assert locate(Path("pretrained:fine")) == folder / "fine.ckpt"
    assert [card.name for card in list_cards()] == ["fine", "poor"]  # what answers by itself
    with pytest.raises(CheckpointError, match=r"there are fine, poor, best$"):
        load_checkpoint(Path("pretrained:torn"))
