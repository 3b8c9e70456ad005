"""The base of every component's settings, and the union that picks one component by its tag."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Tag


class Config(BaseModel):
    """Frozen, strict settings of one component.

    Unknown keys, wrong types (``"0.1"`` for a number), NaN and infinity are errors. A field that
    holds a tuple or a path says ``Field(strict=False)``, because YAML knows neither. Every field
    has a ``description`` with its unit or range: ``config show`` prints it.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )

    def without_effect(self, section: str, switch: str, *names: str) -> Iterator[str]:
        """Name the fields of ``names`` that are set although ``switch`` is off, its default."""
        is_set = {name for name in (switch, *names)
                  if getattr(self, name) != type(self).model_fields[name].default}  # fmt: skip
        for name in names:
            if name in is_set and switch not in is_set:
                yield f"{section}.{name}: no effect, because {section}.{switch} is off"


def tagged_union(table: Mapping[str, type[Config]], *, tag: str, default: str) -> Any:
    """Make the type "one of the table's configs, chosen by the key ``tag``".

    Several names may share one config class. A mapping without the tag gets ``default``, so that
    ``--set optimizer.lr=0.05`` works on a config that never mentions the optimizer. An unknown
    name raises pydantic's error of type ``unknown_tag`` whose context holds ``tag`` and
    ``choices`` (joined by ", "). In error locations the variant's class name stands after the
    section's name.
    """

    # Without the tag a class fills in its own default name, so the two defaults must be one.
    assert table[default].model_fields[tag].default == default, f"{tag} must default to {default}"

    def class_name_of(value: Any) -> str | None:
        name = value.get(tag, default) if isinstance(value, Mapping) else getattr(value, tag, None)
        variant = table.get(name) if isinstance(name, str) else None
        return variant.__name__ if variant else None

    variants = tuple(
        Annotated[variant, Tag(variant.__name__)] for variant in dict.fromkeys(table.values())
    )
    discriminator = Discriminator(
        class_name_of,
        custom_error_type="unknown_tag",
        custom_error_message=f"unknown {tag}",
        custom_error_context={"tag": tag, "choices": ", ".join(table)},
    )
    return Annotated[Union[variants], discriminator]  # noqa: UP007  (a union of computed members)
