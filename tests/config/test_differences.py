from cnn_train.config.differences import ABSENT, Difference, differences, differing


def test_settings_that_differ_in_any_of_several_trees_have_a_value_of_each() -> None:
    trees = [{"a": 1, "b": {"c": 2, "d": {}}}, {"a": 1, "b": {"c": 3, "d": {}}}, {"a": 1, "e": [1]}]
    assert differing(trees) == {
        "b.c": [2, 3, ABSENT], "b.d": [{}, {}, ABSENT], "e": [ABSENT, ABSENT, [1]],
    }  # fmt: skip
    assert differing([]) == differing(trees[:1]) == {}


def test_two_trees_differ_in_the_order_of_the_first() -> None:
    before, after = {"b": {"c": 2}, "a": 1}, {"z": 0, "a": 2, "b": {"c": 3}}
    assert differences(before, after) == [
        Difference("b.c", 2, 3), Difference("a", 1, 2), Difference("z", ABSENT, 0),
    ]  # fmt: skip
