"""What is said of a file of a run that cannot be read, or that something else wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from ..config.document import spell_path
from ..errors import CheckpointError


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Raise CheckpointError, which says what is wrong, where a part of a run is of no use."""
    try:
        yield
    except OSError as problem:
        place = problem.filename or path
        raise CheckpointError(f"{place}: cannot be read ({problem.strerror})") from None
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
        place = f"{spell_path(first['loc'])}: " if first["loc"] else ""
        raise CheckpointError(f"{path}: {place}{first['msg']}") from None
    except KeyError as missing:
        raise CheckpointError(f"{path}: no {missing} in a record of its metrics") from None
