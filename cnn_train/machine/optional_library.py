"""Libraries that only some commands need, which the user installs when they are wanted."""

from importlib import import_module

from ..errors import UsageError


def require_libraries(needed_by: str, *names: str, extra: str = "", otherwise: str = "") -> None:
    """Raise UsageError where a library is not installed, with the command that installs it.

    ``extra``: that of cnn-train which brings it. ``otherwise``: what to do without it.
    """
    missing = []
    for name in names:
        try:
            import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        package = f"'cnn-train[{extra}]'" if extra else " ".join(missing)
        raise UsageError(
            f"{needed_by} needs {' and '.join(missing)}, not installed here: pip install {package}"
            + (f", or {otherwise}" if otherwise else "")
        )
