"""What a torch file claims is counted before it is built, and what was built is looked through."""

import math
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from torture_campaign.hostile.sealing import doubled, repacked, torch_zip

from cnn_train.checkpoints import plain_data
from cnn_train.checkpoints.plain_data import NotPlainData, load_plain, require_honest, require_plain


def test_plain_data_is_loaded_as_it_was_saved() -> None:
    tied = torch.arange(3.0)
    tree = {"a": [1, 0.5, "x", None, True, (1, 2)], "b": {0: tied, 1: tied[:2]}}
    loaded = load_plain(torch_zip(tree))
    require_plain(loaded, 1000)
    lists = tree_map(lambda leaf: leaf.tolist() if isinstance(leaf, Tensor) else leaf, loaded)
    assert lists == {"a": [1, 0.5, "x", None, True, (1, 2)], "b": {0: [0, 1, 2], 1: [0, 1]}}


@pytest.mark.parametrize("protocol", [2, 4])
def test_tuples_that_double_are_refused_before_anything_is_built(protocol: int) -> None:
    require_honest(5 * pickle.dumps(doubled(tuple, 5), protocol))
    with pytest.raises(NotPlainData, match="a tuple of more than 1,000 values"):
        require_honest(5 * pickle.dumps(doubled(tuple, 50), protocol))


def test_lists_that_double_or_hold_themselves_are_no_tree() -> None:
    itself: dict[str, Any] = {}
    itself["a"] = itself
    require_plain(doubled(list, 10), 1000)
    for tree in (doubled(list, 50), itself):
        with pytest.raises(NotPlainData, match="unfolds to more values"):
            require_plain(tree, 1000)


@pytest.mark.parametrize("limit", ["MOST_STEPS", "MOST_STRUCTURE_BYTES"])
def test_more_values_than_any_network_has_are_refused(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    content = torch_zip(["a"] * 3000)
    load_plain(content)
    monkeypatch.setattr(plain_data, limit, 3000)
    with pytest.raises(NotPlainData, match="more values"):
        load_plain(content)


def test_a_zip_that_is_packed_claims_more_than_it_holds() -> None:
    content = torch_zip({"a": torch.zeros(10**5)})
    with pytest.raises(NotPlainData, match="parts are larger"):
        load_plain(repacked(content))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (torch.zeros(1).expand(2**40), "more numbers than the file holds"),
        ([torch.zeros(100)[:] for _ in range(50)], "more numbers than the file holds"),
        (torch.tensor([0.0, math.nan]), "not finite"), (math.inf, "not finite"),
        (10**400, "not finite"), (torch.eye(2).to_sparse(), "sparse"),
        (torch.zeros(2, device="meta"), "tensor of"), (torch.zeros(2).to(torch.cfloat), "complex"),
        (torch.zeros(2, requires_grad=True), "tensor of"), ({(1, 2): 3}, "keys"), ({1, 2}, "a set"),
        (b"a", "a bytes"), (1j, "a complex"),
    ],
)  # fmt: skip
def test_what_is_no_plain_number_text_or_tensor_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(NotPlainData, match=reason):
        require_plain({"a": [value]}, 1000)
