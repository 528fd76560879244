"""Reading a part of `model` that names a class: its name and its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autolfads_trainer.config import classes
from autolfads_trainer.config.checks import Key, Section, validate
from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.layers import Layers
from autolfads_trainer.userinput import InputError, shown


@dataclass(frozen=True)
class PartReader:
    """Knows a model whose plain settings (`model`) are checked already; `notes` grows."""

    model: dict[str, Any]
    said: Mapping[str, Any]  # all of `model`, as it was said
    said_datamodule: Mapping[str, Any]
    sizes: DataSizes
    layers: Layers
    allow_import: Sequence[str]
    notes: list[str]

    def part(self, value: Any, key: Key, role: str) -> dict[str, Any]:
        """Return the mapping `value` with the canonical name of its class."""
        if not isinstance(value, dict) or "_target_" not in value:
            raise InputError(
                f"{self.where(key)}: found {shown(value)};"
                f" expected a mapping whose _target_ names a {role}"
            )
        where = self.where((*key, "_target_"))
        name = classes.class_for(role, value["_target_"], where, self.allow_import)
        return {**value, "_target_": name}

    def arguments(self, part: dict[str, Any], section: type[Section], key: Key) -> dict[str, Any]:
        """Return the part, which stands at `key`, with its arguments checked and completed."""
        arguments = {name: value for name, value in part.items() if name != "_target_"}
        return {
            "_target_": part["_target_"],
            **validate(section, arguments, key, self.where),
        }

    def same(self, part: dict[str, Any], name: str, size: float, of: str, key: Key) -> None:
        """Fill in `name`, or check that it is the `size` that it repeats."""
        if part[name] is None:
            part[name] = size
        elif part[name] != size:
            raise InputError(
                f"{self.where((*key, name))}: found {part[name]}; expected {size}, {of}"
            )

    @property
    def where(self) -> Callable[[Key], str]:
        """Says of a key how a message names it."""
        return self.layers.where

    def list_at(self, value: Any, key: Key) -> list[Any]:
        """Return `value`, a list."""
        if isinstance(value, list):
            return value
        raise InputError(f"{self.where(key)}: found {shown(value)}; expected a list")
