import pytest
import torch

from cnn_train.checkpoints.matching import Match, NoMatch, match_tensors

Shapes = dict[str, tuple[int, ...]]

OURS: Shapes = {
    "conv1.weight": (8, 3, 3, 3),
    "bn1.weight": (8,),
    "bn1.running_mean": (8,),
    "bn1.num_batches_tracked": (),
    "conv2.weight": (8, 8, 3, 3),
    "conv3.weight": (8, 8, 3, 3),
    "fc.weight": (10, 8),
    "fc.bias": (10,),
}


def match(theirs: Shapes, ours: Shapes = OURS, *, is_ordered: bool = True) -> list[Match]:
    made = [{name: torch.empty(shape) for name, shape in one.items()} for one in (theirs, ours)]
    return match_tensors(made[0], made[1], is_ordered=is_ordered)


def pairs(matches: list[Match]) -> dict[str, str]:
    return {one.ours: one.theirs for one in matches}


def rename(*changes: tuple[str, str]) -> Shapes:
    """Return OURS with parts of its names replaced, in the same order."""
    renamed = {}
    for name, shape in OURS.items():
        for old, new in changes:
            name = name.replace(old, new)
        renamed[name] = shape
    return renamed


def refusal(theirs: Shapes, *, is_ordered: bool = True) -> str:
    with pytest.raises(NoMatch) as caught:
        match(theirs, is_ordered=is_ordered)
    return str(caught.value)


@pytest.mark.parametrize("is_ordered", [True, False])
def test_equal_names_are_matched_by_name_in_whatever_order(is_ordered: bool) -> None:
    found = match(dict(reversed(OURS.items())), is_ordered=is_ordered)
    assert {one.by for one in found} == {"name"}
    assert all(one.theirs == one.ours for one in found)
    assert [one.ours for one in found] == [name for name in OURS if "num_batches" not in name]
    assert found[0].shape == (8, 3, 3, 3)


def test_a_renamed_head_is_matched_by_order_and_shape_and_says_so() -> None:
    found = match(rename(("fc", "linear")))
    assert pairs(found)["fc.bias"] == "linear.bias"
    assert {one.ours: one.by for one in found if one.by != "name"} == {
        "fc.weight": "order and shape", "fc.bias": "order and shape",
    }  # fmt: skip


def test_names_that_all_differ_are_matched_by_order_within_equal_structure() -> None:
    found = pairs(match(rename(("conv", "features."), ("bn", "norm."), ("fc", "classifier"))))
    assert found["conv2.weight"] == "features.2.weight"
    assert found["conv3.weight"] == "features.3.weight"
    assert found["bn1.running_mean"] == "norm.1.running_mean"


@pytest.mark.parametrize("is_ordered", [True, False])
def test_without_the_order_unique_shapes_decide(is_ordered: bool) -> None:
    """Safetensors are sorted by name; another program may have defined its head first."""
    found = match(
        dict(reversed(rename(("fc", "linear"), ("conv1", "stem")).items())), is_ordered=is_ordered
    )
    assert pairs(found)["conv1.weight"] == "stem.weight"
    assert pairs(found)["fc.bias"] == "linear.bias"
    assert {one.by for one in found} == {"name", "shape"}


def test_without_the_order_equal_shapes_are_ambiguous_and_refused() -> None:
    renamed = rename(("conv2", "a"), ("conv3", "b"))
    assert "ambiguous" in refusal(renamed, is_ordered=False)
    message = refusal(dict(reversed(renamed.items())))
    assert "several of weight (8, 8, 3, 3)" in message
    assert "a.weight (8, 8, 3, 3)" in message
    assert pairs(match(renamed))["conv2.weight"] == "a.weight"  # with it, they are not


def test_a_common_name_at_another_place_makes_the_order_worthless() -> None:
    swapped = rename(("conv2", "a"), ("conv3", "b"))
    swapped["bn1.weight"] = swapped.pop("bn1.weight")
    assert "ambiguous" in refusal(swapped)


def test_a_bias_is_never_taken_for_a_weight_of_the_same_shape() -> None:
    names = list(OURS)
    names[names.index("bn1.weight")] = "norm.bias"
    shapes = dict(zip(names, OURS.values(), strict=True))
    assert "missing: bn1.weight (8,); not in the model: norm.bias (8,)" in refusal(shapes)


def test_wrong_shapes_missing_and_extra_tensors_are_all_listed() -> None:
    theirs = rename()
    del theirs["bn1.weight"]
    theirs |= {"fc.weight": (100, 8), "fc.bias": (100,), "extra.weight": (1,)}
    assert refusal(theirs) == (
        "of a wrong shape: fc.weight (100, 8) instead of (10, 8), fc.bias (100,) instead of (10,); "
        "missing: bn1.weight (8,); not in the model: extra.weight (1,)"
    )


@pytest.mark.parametrize("change", [dict.fromkeys(["bn9.num_batches_tracked"], ()), {}])
def test_counters_of_batch_norms_updates_may_be_missing_or_many(change: Shapes) -> None:
    theirs = {name: shape for name, shape in OURS.items() if "num_batches" not in name}
    assert len(match(theirs | change)) == len(OURS) - 1


HIDDEN = {"fc.weight": (8, 192), "fc.bias": (8,), "head.weight": (3, 8), "head.bias": (3,)}


@pytest.mark.parametrize(("is_ordered", "how"), [(True, "order and shape"), (False, "shape")])
def test_one_name_for_two_layers_is_matched_by_what_only_one_of_them_can_be(
    is_ordered: bool, how: str
) -> None:
    """Their fc is the hidden layer, ours the last one: the name says nothing, the shapes all."""
    ours = {name.replace("fc", "1").replace("head", "fc"): s for name, s in HIDDEN.items()}
    found = match(HIDDEN, ours, is_ordered=is_ordered)
    assert pairs(found) == {
        "1.weight": "fc.weight", "1.bias": "fc.bias", "fc.weight": "head.weight",
        "fc.bias": "head.bias",
    }  # fmt: skip
    assert {one.by for one in found} == {how}


BLOCKS: Shapes = {
    **{f"stage1.{i}.conv{j}.weight": (8, 8, 3, 3) for i in (0, 1) for j in (1, 2)},
    **{f"stage1.{i}.bn{j}.weight": (8,) for i in (0, 1) for j in (1, 2)},
    "stage2.0.conv1.weight": (16, 8, 3, 3),
    "stage2.0.shortcut.0.weight": (16, 8, 1, 1),
    "stage2.0.shortcut.1.weight": (16,),
    "stage2.0.bn1.weight": (16,),
}


def test_where_the_order_is_lost_the_words_of_a_name_tell_the_layer() -> None:
    """Two tensors that can only be one show that layer is stage, and downsample is shortcut."""
    theirs = {
        name.replace("stage", "layer").replace("shortcut", "downsample"): shape
        for name, shape in BLOCKS.items()
    }
    found = match(dict(sorted(theirs.items())), BLOCKS, is_ordered=False)
    expected = zip(BLOCKS, theirs, strict=True)
    assert pairs(found) == dict(expected)


def test_words_that_no_shape_ties_to_ours_are_not_guessed() -> None:
    renamed = {name.replace("conv1", "a").replace("conv2", "b"): s for name, s in BLOCKS.items()}
    with pytest.raises(NoMatch, match=r"ambiguous: .* several of weight \(8, 8, 3, 3\);"):
        match(renamed, BLOCKS, is_ordered=False)


@pytest.mark.parametrize("is_ordered", [True, False])
def test_numbers_that_are_all_shifted_by_one_are_not_taken_for_equal_names(
    is_ordered: bool,
) -> None:
    """conv3 alone is left over, and would fit conv0, but then every layer is in a wrong place."""
    ours, theirs = ({f"conv{i + j}.weight": (8, 8, 3, 3) for i in range(3)} for j in (0, 1))
    with pytest.raises(NoMatch, match="ambiguous"):
        match(theirs, ours, is_ordered=is_ordered)


def test_nothing_at_all_does_not_match() -> None:
    assert "missing: conv1.weight" in refusal({})
