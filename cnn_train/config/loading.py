"""Load an experiment: field defaults, then the YAML file, then overrides, then every check."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import ConfigError
from .document import Document, Place
from .findings import describe_errors
from .overrides import apply_overrides
from .side_effects import side_effects
from .source import name_source, read_text
from .yaml_reader import parse_document

ExperimentT = TypeVar("ExperimentT", bound=BaseModel)


def load_experiment(
    config: str | Path,
    overrides: Sequence[str],
    experiment_type: type[ExperimentT],
    *,
    text: str | None = None,
    warn: Callable[[str], None] = lambda message: None,
) -> ExperimentT:
    """Read a config file, or standard input for ``-``, and validate it with its overrides.

    A caller that has read the text already passes it, as :func:`read_text` returned it. ``warn``
    hears what the overrides do to settings of the file that they do not name.
    Raises ConfigError that lists every finding, one line each, in the order of the file.
    """
    if text is None:
        text = read_text(config)
    document = parse_document(text, name_source(config))
    changed = apply_overrides(document, overrides)
    experiment = validate(changed, experiment_type)
    for message in side_effects(document, changed, experiment):
        warn(message)
    return experiment


def validate_settings(
    settings: Mapping[str, Any], source: str, experiment_type: type[ExperimentT]
) -> ExperimentT:
    """Validate settings that are no YAML text: Python arguments, or a checkpoint's config.

    Findings name ``source`` and the setting, because there is no line number.
    """
    anywhere = Place(layer=1, line=1, column=1, source=source)
    return validate(Document(dict(settings), {}, {(): anywhere}), experiment_type)


def validate(document: Document, experiment_type: type[ExperimentT]) -> ExperimentT:
    """Build the experiment from the document's tree, or report everything that is wrong with it."""
    try:
        return experiment_type.model_validate(document.tree)
    except ValidationError as errors:
        lines = describe_errors(errors, document, experiment_type)
        raise ConfigError("\n".join(lines)) from None
