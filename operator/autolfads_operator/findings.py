"""What is not as it should be: which file, what it says, and what it should say."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autolfads_trainer.records import Place, Record
from autolfads_trainer.store import RunFolder

LONGEST = 200  # characters of a value in a sentence


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        file: the file's path within the run's folder.
        what: the field's name in that file; None: the file as a whole.
        found: what it says.
        expected: what it should say.
    """

    file: str
    what: str | None
    found: str
    expected: str

    def __str__(self) -> str:
        subject = f"{self.what} is " if self.what else ""
        return f"{self.file}: {subject}{self.found}; expected {self.expected}"


def whole(file: str, found: str, expected: str) -> Finding:
    """Return a finding about a file as a whole."""
    return Finding(file, None, found, expected)


def order_file(place: Place) -> str:
    """Return where the order of a member and generation is."""
    return f"{RunFolder.leg_folder(*place)}/order.json"


def missing_order(place: Place) -> Finding:
    """Say that there is no order although something followed from it."""
    return whole(order_file(place), "is missing", "an order, since others follow from it")


def differences(
    file: str, found: Record, expected: Record, *, but: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Yield what `found` says otherwise than `expected`, field by field."""
    one, other = _values(found), _values(expected)
    for name in (name for name in one if name not in but):
        yield from _differences(file, name, one[name], other.get(name))


def _values(record: Record) -> dict[str, Any]:
    """Return what a record says, by the names in its file; not its format: a version can differ."""
    values = record.model_dump(by_alias=True)
    for name, field in type(record).model_fields.items():
        value = getattr(record, name)
        if isinstance(value, Record):
            values[field.alias or name] = _values(value)
    del values["format"]
    return values


def _differences(file: str, name: str, found: Any, expected: Any) -> Iterator[Finding]:
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for key in dict.fromkeys([*expected, *found]):
            inside = f"{name}.{key}"
            if key not in found:
                yield Finding(file, inside, "absent", said(expected[key]))
            elif key not in expected:
                yield Finding(file, inside, said(found[key]), "no such key")
            else:
                yield from _differences(file, inside, found[key], expected[key])
    elif said(found, None) != said(expected, None) and not _same_number(found, expected):
        yield Finding(file, name, said(found), said(expected))


def _same_number(found: Any, expected: Any) -> bool:
    """Return whether two numbers differ by no more than machines do that compute the same.

    `exp` and `log` need not give the same last bit on two of them.
    """
    both = isinstance(found, float) and isinstance(expected, float)
    return both and math.isclose(found, expected, rel_tol=1e-9)


def said(value: Any, longest: int | None = LONGEST) -> str:
    """Return a value as its file has it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if longest is None or len(text) <= longest else f"{text[: longest - 3]}..."


def in_a_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
