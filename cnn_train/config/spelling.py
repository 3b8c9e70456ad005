"""What a user probably meant by a name that does not exist."""

import difflib
from collections.abc import Iterable


def nearest(name: object, choices: Iterable[str]) -> str | None:
    """Return the choice most like ``name`` in spelling, upper and lower case being equal."""
    by_folded = {choice.casefold(): choice for choice in choices}
    matches = difflib.get_close_matches(str(name)[:100].casefold(), by_folded, n=1)
    return by_folded[matches[0]] if matches else None
