"""Lay configurations over one another, remembering for every key who said it.

Mappings merge deeply, lists and single values replace. Two exceptions: a mapping whose `_target_`
names another class than the one beneath replaces it whole (arguments of one class mean nothing to
another), and some mappings are units, see `UNITS` and `CALLS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autolfads_trainer.config.checks import Key, dotted
from autolfads_trainer.config.classes import canonical
from autolfads_trainer.userinput import InputError

MAX_VALUES = 20_000  # aliases (*name) multiply what a small file holds
MAX_DEPTH = 40

# The search space is one thought: the most specific layer that gives it gives all of it.
UNITS: frozenset[Key] = frozenset({("pbt", "hps")})
# A stack that names its class is complete: `{_target_: …AugmentationStack}` alone is how files
# say that there is no augmentation, and must not take the transforms from the layer beneath.
CALLS: frozenset[Key] = frozenset({("model", "train_aug_stack"), ("model", "infer_aug_stack")})


@dataclass(frozen=True)
class Origin:
    """Who said something: a file, `spec.config`, a field of the manifest, the defaults."""

    name: str
    is_key: bool = False  # the name already is the key's own (`spec.population`)


DEFAULTS = Origin("defaults")


class Layers:
    """The merged tree and, for every key, its origin."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self._origins: dict[Key, Origin] = {(): DEFAULTS}

    def lay(self, layer: Mapping[str, Any], origin: Origin) -> None:
        """Lay plain data (see `plain`) over what is there."""
        self._merge(self.tree, layer, (), origin)

    def put(self, key: Key, value: Any, origin: Origin) -> None:
        """Replace the value at `key`."""
        mapping = self.tree
        for name in key[:-1]:
            mapping = mapping[name]
        self._replace(mapping, key, value, origin)

    def origin(self, key: Key) -> Origin:
        """Return who said `key`, or the nearest thing around it."""
        return self._origins[self._nearest(key)]

    def where(self, key: Key) -> str:
        """Return how a message names `key`: `config.yaml: model.gen_dim`, `spec.population`."""
        said = self._nearest(key)
        origin = self._origins[said]
        if origin.is_key:
            return dotted((origin.name, *key[len(said) :]))
        return f"{origin.name}: {dotted(key)}"

    def _nearest(self, key: Key) -> Key:
        while key not in self._origins and key:
            key = key[:-1]
        return key

    def _merge(
        self, below: dict[str, Any], above: Mapping[str, Any], key: Key, origin: Origin
    ) -> None:
        for name, value in above.items():
            at = (*key, name)
            old = below.get(name)
            if isinstance(old, dict) and isinstance(value, dict) and not _replaces(old, value, at):
                self._merge(old, value, at, origin)
            elif not (len(at) == 1 and value is None and isinstance(old, dict)):
                # A section that is only a heading, `trainer:`, says nothing.
                self._replace(below, at, value, origin)

    def _replace(self, mapping: dict[str, Any], key: Key, value: Any, origin: Origin) -> None:
        if key[-1] in mapping:  # nothing is known below a key that is new
            for known in [k for k in self._origins if k[: len(key)] == key]:
                del self._origins[known]
        mapping[key[-1]] = value
        self._origins[key] = origin


def _replaces(old: dict[str, Any], new: dict[str, Any], key: Key) -> bool:
    if key in UNITS:
        return True
    if "_target_" not in new or "_target_" not in old or key[0] not in ("model", "datamodule"):
        return False
    return key in CALLS or canonical(old["_target_"]) != canonical(new["_target_"])


def plain(value: Any, source: str) -> Any:
    """Return an independent copy of `value`: dicts with text keys, lists, text, numbers, null.

    Raises `InputError` for anything else, and for more than a configuration can hold.
    """
    room = MAX_VALUES

    def copy(value: Any, key: Key) -> Any:
        nonlocal room
        room -= 1
        if room < 0 or len(key) > MAX_DEPTH:
            raise InputError(
                f"{source}: holds more than {MAX_VALUES} values or {MAX_DEPTH} levels, counting"
                " every alias; expected a configuration"
            )
        if isinstance(value, Mapping):
            return {str(name): copy(inner, (*key, str(name))) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [copy(inner, (*key, str(i))) for i, inner in enumerate(value)]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        found = type(value).__name__
        raise InputError(
            f"{source}: {dotted(key)}: found {found}; expected text, a number, a list or a mapping"
        )

    return copy(value, ())
