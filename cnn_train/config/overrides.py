"""Apply ``--set section.key=VALUE`` to a config's tree; errors cite the override itself."""

from collections.abc import Sequence
from copy import deepcopy

from ..errors import ConfigError
from .document import Document, Place, spell_path
from .scalars import render_value
from .yaml_reader import parse_value

MAX_CITED_CHARACTERS = 100


def apply_overrides(document: Document, overrides: Sequence[str]) -> Document:
    """Return the document with each ``a.b=VALUE`` set in turn; later ones win.

    VALUE is YAML: a scalar, ``[1, 2]`` or ``{name: resnet20}``. It replaces the whole value at its
    path. Raises ConfigError, citing the override, where it is no assignment or its path leads
    through a value that is not a section.
    """
    result = Document(deepcopy(document.tree), dict(document.keys), dict(document.values))
    for layer, text in enumerate(overrides, start=1):
        _set(result, text, layer)
    return result


def _set(document: Document, text: str, layer: int) -> None:
    line = " ".join(text.split())
    cut = line[:MAX_CITED_CHARACTERS] + "…" if len(line) > MAX_CITED_CHARACTERS else line
    source = f"--set {cut}"
    path_text, equals_sign, value_text = text.partition("=")
    path = tuple(path_text.strip().split("."))
    if not equals_sign or not all(path):
        raise ConfigError(f"{source}: expected KEY=VALUE, such as --set optimizer.lr=0.05")
    value = parse_value(value_text, source, layer=layer)
    place = Place(layer, 1, 1, source)
    section = _open_section(document, path[:-1], place)
    section[path[-1]] = value.tree
    for places, new in ((document.keys, value.keys), (document.values, value.values)):
        for stale in [known for known in places if known[: len(path)] == path]:
            del places[stale]
        places.update({(*path, *inner): where for inner, where in new.items()})
    document.keys[path] = place


def _open_section(document: Document, path: tuple[str, ...], place: Place) -> dict[str, object]:
    """Return the mapping at ``path``, made where there is none yet."""
    section = document.tree
    for depth, key in enumerate(path, start=1):
        child = section.get(key)
        if child is None:  # absent, or a section's name with nothing after the colon
            child = section[key] = {}
            document.keys[path[:depth]] = document.values[path[:depth]] = place
        if not isinstance(child, dict):
            raise ConfigError(
                f"{place}: {spell_path(path[:depth])} is {render_value(child)}, not a section; "
                "set it as a whole"
            )
        section = child
    return section  # type: ignore[no-any-return]
