"""`${a.b}` stands for the value of another key, `${relpath:x}` for a path beside the file.

References are resolved after the layers are merged, so that they follow what a more specific layer
says; a `relpath` belongs to the file that it is written in, and is resolved before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autolfads_trainer.config.checks import Key, dotted
from autolfads_trainer.userinput import InputError, nearest, shown

_REFERENCE = re.compile(r"\$\{([^{}$]*)\}")
_OPEN = "${"
# References multiply: a small file can ask for any amount of text or values.
MAX_VALUES = 20_000
MAX_TEXT = 4_000
MAX_CHAIN = 40


def resolve_relpaths(value: Any, folder: Path) -> Any:
    """Return `value` with every `${relpath:x}` replaced by the absolute path of x in `folder`."""
    if isinstance(value, dict):
        return {name: resolve_relpaths(inner, folder) for name, inner in value.items()}
    if isinstance(value, list):
        return [resolve_relpaths(inner, folder) for inner in value]
    if not isinstance(value, str) or _OPEN not in value:
        return value

    def absolute(match: re.Match[str]) -> str:
        resolver, _, argument = match[1].partition(":")
        if resolver.strip() != "relpath":
            return match[0]
        # Not Path.resolve: users know the path that they wrote, not where its links lead.
        return os.path.normpath(folder.absolute() / argument.strip())

    return _REFERENCE.sub(absolute, value)


class Interpolator:
    """Resolves references within one merged tree. `where` says in which file a key is written."""

    def __init__(self, tree: dict[str, Any], where: Callable[[Key], str]) -> None:
        self._tree = tree
        self._where = where
        self._room = MAX_VALUES

    def resolved(self, value: Any, key: Key, chain: tuple[Key, ...] = ()) -> Any:
        """Return `value`, which stands at `key`, with all that it refers to in place.

        A reference that is the whole value keeps the target's type; inside text it becomes text.
        Raises `InputError` for a missing target, a cycle, and any other resolver.
        """
        self._room -= 1
        if self._room < 0:
            raise InputError(
                f"{self._where(key)}: its references make more than {MAX_VALUES} values"
            )
        if isinstance(value, dict):
            return {n: self.resolved(inner, (*key, n), chain) for n, inner in value.items()}
        if isinstance(value, list):
            return [self.resolved(v, (*key, str(i)), chain) for i, v in enumerate(value)]
        if not isinstance(value, str) or _OPEN not in value:
            return value
        return self._text(value, key, (*chain, key))

    def _text(self, text: str, key: Key, chain: tuple[Key, ...]) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole:
            return self._target(whole[1], text, key, chain)
        pieces = _REFERENCE.split(text)  # text, reference, text, …, text
        if any(_OPEN in piece for piece in pieces[::2]):
            raise self._error(key, text, "expected '}' after each '${', and none inside another")
        for i in range(1, len(pieces), 2):
            value = self._target(pieces[i], text, key, chain)
            if isinstance(value, dict | list):
                found = "a mapping" if isinstance(value, dict) else "a list"
                raise self._error(key, text, f"{pieces[i]} is {found}; expected text or a number")
            pieces[i] = shown(value) if value is None or isinstance(value, bool) else str(value)
        result = "".join(pieces)
        if len(result) > MAX_TEXT:
            raise self._error(key, text, f"its references make more than {MAX_TEXT} characters")
        return result

    def _target(self, reference: str, text: str, key: Key, chain: tuple[Key, ...]) -> Any:
        resolver, colon, _ = reference.partition(":")
        if colon and resolver.strip() == "relpath":
            raise self._error(
                key, text, "relpath is relative to a configuration file; write the path itself here"
            )
        if colon:
            raise self._error(
                key,
                text,
                f"the resolver '{resolver.strip()}' is not allowed;"
                " expected ${section.key} or ${relpath:path}",
            )
        target = tuple(reference.strip().split("."))
        if target[0] == "":
            raise self._error(key, text, "expected a path from the top, like ${model.fac_dim}")
        # A mapping around a key on the way holds that key: it, too, comes back.
        if any(target == seen[: len(target)] for seen in chain) or len(chain) > MAX_CHAIN:
            way = " → ".join(dotted(k) for k in (*chain, target))
            raise self._error(key, text, f"the reference comes back to itself: {way}")
        return self.resolved(self._value_at(target, text, key, chain), target, chain)

    def _value_at(self, target: Key, text: str, key: Key, chain: tuple[Key, ...]) -> Any:
        value: Any = self._tree
        for depth, name in enumerate(target):
            if isinstance(value, str) and _OPEN in value:  # on the way to the target
                value = self._text(value, target[:depth], (*chain, target[:depth]))
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
                value = value[int(name)]
            else:
                hint = nearest(dotted(target), [dotted(k) for k in _keys(self._tree)])
                raise self._error(key, text, f"there is no key '{dotted(target)}'{hint}")
        return value

    def _error(self, key: Key, text: str, sentence: str) -> InputError:
        return InputError(f"{self._where(key)}: found {shown(text)}: {sentence}")


def _keys(tree: dict[str, Any]) -> list[Key]:
    inner = [
        (section, name)
        for section, value in tree.items()
        if isinstance(value, dict)
        for name in value
    ]
    return [*((section,) for section in tree), *inner]
