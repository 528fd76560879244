"""Stand-ins as plain values: numbers, text, lists and dicts that can be looked at and compared."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from autolfads_trainer.exchange.archive import UnreadableError
from autolfads_trainer.exchange.inert import StandIn
from autolfads_trainer.exchange.tensors import Tensors, is_tensor, shape_of

MAX_VALUES = 20_000  # what is shared counts wherever it stands
MAX_DEPTH = 40

_MAPPINGS = ("OrderedDict", "AttributeDict", "defaultdict", "Box")
_LISTS = ("set", "frozenset", "deque", "Size")
_SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
# NumPy's names of types of numbers, and those that `struct` has for them.
_NUMBERS = {"f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "i2": "h", "i1": "b"} | {
    "u8": "Q",
    "u4": "I",
    "u2": "H",
    "u1": "B",
    "b1": "?",
}


def mapping_of(value: object) -> dict[Any, Any] | None:
    """Return the mapping that `value` is or stands for, not what is in it; None: it is none."""
    if isinstance(value, StandIn) and _last(value.name) in _MAPPINGS:
        return dict(value.pairs or {})
    return value if isinstance(value, dict) else None


class Plain:
    """Makes plain values of what one checkpoint describes. There is a bound for all together."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._room = MAX_VALUES

    def value(self, described: object, within: tuple[int, ...] = ()) -> Any:
        """Return a copy of plain values, in which stand-ins are as their name lets one expect.

        Nodes of OmegaConf are what they hold, tensors and NumPy's scalars of one number are that
        number. Others are dicts: `_target_` is the class, and the attributes are its own, without
        those that begin with `_`. Raises `UnreadableError` for too many, or too deep.
        """
        self._room -= 1
        if self._room < 0 or len(within) > MAX_DEPTH:
            raise UnreadableError(
                f"its hyper_parameters hold more than {MAX_VALUES} values or {MAX_DEPTH} levels"
            )
        if described is None or isinstance(described, bool | int | float | str):
            return described
        if id(described) in within:  # parts that know what they are part of
            return {"_target_": described.name} if isinstance(described, StandIn) else "…"
        within = (*within, id(described))
        if isinstance(described, dict):
            return self._pairs(described, within)
        if isinstance(described, list | tuple):
            return self._list(described, within)
        if isinstance(described, StandIn):
            return self._object(described, within)
        # A class or a function that is only named.
        return getattr(described, "name", type(described).__name__)

    def _object(self, described: StandIn, within: tuple[int, ...]) -> Any:
        if is_tensor(described):
            return self._tensor(described)
        if described.name in _SCALARS:
            return _numpy_number(described)
        mapping = mapping_of(described)
        if mapping is not None:
            return self._pairs(mapping, within)
        if _last(described.name) in _LISTS:
            given = [*described.args[:1], described.members]
            parts = [part for each in given if isinstance(each, list | tuple) for part in each]
            return self._list(parts, within)
        return self._instance(described, within)

    def _tensor(self, described: StandIn) -> Any:
        shape = shape_of(described)
        if all(number == 1 for number in shape):
            return self._tensors.made(described).item()
        return {"_target_": "torch.Tensor", "shape": list(shape)}

    def _instance(self, described: StandIn, within: tuple[int, ...]) -> Any:
        attributes = described.attributes
        if described.name.startswith("omegaconf."):
            return self.value(attributes.get("_content", attributes.get("_val")), within)
        found: dict[str, Any] = {"_target_": described.name}
        if described.args:
            found["_args_"] = self._list(described.args, within)
        public = {name: value for name, value in attributes.items() if not name.startswith("_")}
        return found | self._pairs(public, within)

    def _list(self, parts: Iterable[Any], within: tuple[int, ...]) -> list[Any]:
        return [self.value(part, within) for part in parts]

    def _pairs(self, mapping: dict[Any, Any], within: tuple[int, ...]) -> dict[str, Any]:
        return {
            str(self.value(name, within)): self.value(part, within)
            for name, part in mapping.items()
        }


def _numpy_number(described: StandIn) -> int | float:
    """Return the number that NumPy's scalar has: its type, and the number's bytes as text."""
    match described.args:
        case (StandIn(args=(str(kind), *_)) as dtype, StandIn(args=(str(text), *_))):
            order = ">" if isinstance(dtype.state, tuple) and ">" in dtype.state else "<"
            if kind in _NUMBERS:
                number: int | float = struct.unpack(order + _NUMBERS[kind], text.encode("latin-1"))[
                    0
                ]
                return number
    raise UnreadableError("a number of NumPy's in it is of no kind that is known")


def _last(name: str) -> str:
    return name.rpartition(".")[2]
