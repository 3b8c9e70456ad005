"""A library that is not installed is one line that says what to install."""

import sys

import pytest

from cnn_train.errors import UsageError
from cnn_train.machine.optional_library import require_libraries


def test_all_that_is_missing_is_named_with_the_command_that_installs_it(monkeypatch):
    for name in ("not_here", "nor_here"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as caught:
        require_libraries("serve", "not_here", "json", "nor_here", extra="serve")
    assert str(caught.value) == (
        "serve needs not_here and nor_here, not installed here: pip install 'cnn-train[serve]'"
    )
    with pytest.raises(UsageError, match=r"pip install not_here, or leave it out$"):
        require_libraries("it", "not_here", otherwise="leave it out")
    require_libraries("it", "json", extra="x")
