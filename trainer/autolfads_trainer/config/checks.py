"""Strict values with expectations in words, and pydantic's errors turned into one sentence.

A value that does not fit is told as `WHERE: found X; expected Y`, where Y is the very text that
stands at the field's type, so that code and message cannot part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from autolfads_trainer.config.bounds import ANY, POSITIVE, RATE, SCALE, Bounds
from autolfads_trainer.userinput import InputError, nearest, shown

Key = tuple[str, ...]  # a path in the configuration, an index of a list as its digits


def dotted(key: Key) -> str:
    """Return `key` as users write it: `model.readin.0.in_features`."""
    return ".".join(key)


class _Check(Protocol):
    @property
    def expected(self) -> str: ...

    def __call__(self, value: Any) -> Any: ...


def _refuse(check: _Check) -> NoReturn:
    raise PydanticCustomError("expected", "{expected}", {"expected": check.expected})


@dataclass(frozen=True)
class Number:
    """A finite number within `bounds`. `true` is none; 10.0 is a whole number."""

    bounds: Bounds = ANY
    whole: bool = False
    or_null: bool = False

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        kind = "a whole number" if self.whole else "a number"
        return " ".join(
            word for word in (kind, str(self.bounds), "or null" if self.or_null else "") if word
        )

    def __call__(self, value: Any) -> Any:
        """Return `value` as int or float."""
        if value is None and self.or_null:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            _refuse(self)
        try:
            fits = self.bounds.hold(value) and (not self.whole or value == int(value))
        except OverflowError:  # a whole number beyond any float
            fits = False
        if not fits:
            _refuse(self)
        return int(value) if self.whole else float(value)


@dataclass(frozen=True)
class Flag:
    """`true` or `false`."""

    expected: str = "true or false"

    def __call__(self, value: Any) -> Any:
        """Return `value`, a bool."""
        return value if isinstance(value, bool) else _refuse(self)


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        return " or ".join(", ".join(self.words).rsplit(", ", 1))

    def __call__(self, value: Any) -> Any:
        """Return `value`, one of the words."""
        return value if isinstance(value, str) and value in self.words else _refuse(self)


@dataclass(frozen=True)
class Choices:
    """A list of some of a few words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        return f"a list of some of {', '.join(self.words)}"

    def __call__(self, value: Any) -> Any:
        """Return `value`, a list of the words."""
        known = isinstance(value, list) and all(
            isinstance(word, str) and word in self.words for word in value
        )
        return value if known else _refuse(self)


@dataclass(frozen=True)
class Text:
    """A text that is not empty."""

    expected: str

    def __call__(self, value: Any) -> Any:
        """Return `value`, a text."""
        return value if isinstance(value, str) and value else _refuse(self)


@dataclass(frozen=True)
class Words:
    """A list of texts; `null` is the empty list and, with `or_one`, one text a list of one."""

    expected: str
    or_one: bool = False

    def __call__(self, value: Any) -> Any:
        """Return `value` as a list of texts."""
        if value is None:
            return []
        if self.or_one and isinstance(value, str):
            return [value]
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return value
        _refuse(self)


def whole(lowest: int, highest: int | None = None, *, or_null: bool = False) -> BeforeValidator:
    """Return the check of a whole number from `lowest` to `highest`."""
    return BeforeValidator(Number(Bounds(lowest, highest), whole=True, or_null=or_null))


def number(bounds: Bounds, *, or_null: bool = False) -> BeforeValidator:
    """Return the check of a number within `bounds`."""
    return BeforeValidator(Number(bounds, or_null=or_null))


Positive = Annotated[int, whole(1)]
NotNegative = Annotated[int, whole(0)]
Rate = Annotated[float, number(RATE)]
Scale = Annotated[float, number(SCALE)]
AboveZero = Annotated[float, number(POSITIVE)]
Switch = Annotated[bool, BeforeValidator(Flag())]


class Section(BaseModel):
    """A mapping of which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def validate(
    section: type[Section], values: Mapping[str, Any], key: Key, where: Callable[[Key], str]
) -> dict[str, Any]:
    """Return `values`, which stand at `key`, checked and completed with `section`'s defaults.

    `where` says of a key in which file it is written. Raises `InputError`.
    """
    try:
        return section.model_validate(dict(values)).model_dump()
    except ValidationError as failure:
        # A key that is not known comes first: it is often why another one is missing.
        errors = failure.errors(include_url=False)
        error = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    below = tuple(str(part) for part in error["loc"])
    at = (*key, *below)
    if error["type"] == "extra_forbidden":
        parent = at[:-1]
        known = [dotted((*parent, name)) for name in _fields(section, below[:-1])]
        raise unknown_key(where(at), dotted(at), known)
    if error["type"] == "missing":
        expected = _expected(section, below)
        raise InputError(f"{where(at)}: is missing; expected {expected}")
    expected = error.get("ctx", {}).get("expected", "a mapping")
    raise InputError(f"{where(at)}: found {shown(error['input'])}; expected {expected}")


def unknown_key(where: str, name: str, known: list[str]) -> InputError:
    """Return the error for the key `name`, of which `where` says where it is written."""
    parent, _, last = name.rpartition(".")
    siblings = [k.removeprefix(f"{parent}.") for k in known if k.startswith(f"{parent}.")]
    near = nearest(last, siblings)  # a long way to the key must not outweigh the key itself
    hint = near.replace("mean '", f"mean '{parent}.") or nearest(
        name, [k for k in known if not name.startswith(f"{k}.")]
    )
    elsewhere = [k for k in known if k.rpartition(".")[2] == last]
    if elsewhere:
        hint = f" (did you mean '{elsewhere[0]}'?)"
    if name in known:  # written in one word at the top
        hint = f" (write it nested: {': {'.join(name.split('.'))}: …{'}' * name.count('.')})"
    one_of = "" if hint or len(known) > 12 else f"; expected {', '.join(known) or 'no key here'}"
    return InputError(f"{where}: unknown key{hint}{one_of}")


def _fields(section: type[Section], below: Key) -> list[str]:
    for name in below:
        inner = section.model_fields[name].annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            section = inner
    return list(section.model_fields)


def _expected(section: type[Section], below: Key) -> str:
    pieces = section.model_fields[below[0]].metadata
    check: Any = next(piece.func for piece in pieces if isinstance(piece, BeforeValidator))
    return str(check.expected)
