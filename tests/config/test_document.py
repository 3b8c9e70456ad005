import pytest

from cnn_train.config.document import Document, KeyPath, Place, spell_path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("optimizer", "lr"), "optimizer.lr"),
        (("schedule", "milestones", 0), "schedule.milestones[0]"),
        (("a.b", "c"), "'a.b'.c"),
        (("x\ny",), r"'x\ny'"),
        ((), ""),
        (("x" * 1000,), "x" * 60 + "…"),
    ],
)
def test_paths_are_spelled_as_users_type_them_on_one_line(path: KeyPath, text: str) -> None:
    assert spell_path(path) == text


def test_places_sort_the_file_before_overrides_and_lines_before_columns() -> None:
    places = [Place(1, 1, 1, "s"), Place(0, 10, 1, "c"), Place(0, 2, 9, "c"), Place(0, 2, 1, "c")]
    assert sorted(places) == places[::-1]


def test_what_was_never_written_is_placed_at_its_nearest_written_parent() -> None:
    model, root = Place(0, 3, 1, "c"), Place(0, 1, 1, "c")
    document = Document({"model": {}}, {("model",): model}, {(): root})
    assert document.place_of_key(("model", "name")) == model
    assert document.place_of_value(("model", "name")) == model
    assert document.place_of_key(("data",)) == root
