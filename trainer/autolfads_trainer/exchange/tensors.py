"""Tensors as a checkpoint describes them, with no number outside of the file."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.exchange.archive import Archive, UnreadableError
from autolfads_trainer.exchange.inert import StandIn, Storage

_TENSOR = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_TYPES = {
    f"torch.{name}Storage": dtype
    for name, dtype in {
        "Double": torch.float64,
        "Float": torch.float32,
        "Half": torch.float16,
        "BFloat16": torch.bfloat16,
        "Long": torch.int64,
        "Int": torch.int32,
        "Short": torch.int16,
        "Char": torch.int8,
        "Byte": torch.uint8,
    }.items()
}
_MOST_AXES = 8


def is_tensor(value: object) -> bool:
    """Return whether a stand-in is a tensor or a parameter of a module."""
    return isinstance(value, StandIn) and value.name in (_TENSOR, _PARAMETER)


def shape_of(value: StandIn) -> tuple[int, ...]:
    """Return the shape of a stand-in that is a tensor. Raises `UnreadableError`."""
    return _sizes(_arguments(value)[2])


class Tensors:
    """Makes the tensors of one archive. Those that shared numbers share them here, too."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._storages: dict[str, bytearray] = {}

    @property
    def bytes_read(self) -> int:
        """How many bytes of numbers have been read, each once."""
        return sum(map(len, self._storages.values()))

    def made(self, value: StandIn) -> Tensor:
        """Return the tensor that `value` stands for. Raises `UnreadableError`."""
        storage, offset, size, stride = _arguments(value)[:4]
        sizes, strides = _sizes(size), _sizes(stride)
        if len(sizes) != len(strides) or type(offset) is not int or offset < 0:
            raise UnreadableError("the shape of a tensor in it makes no sense")
        base = self._base(storage)
        steps = zip(sizes, strides, strict=True)
        last = offset + sum((number - 1) * step for number, step in steps)
        if prod(sizes) and (last >= base.numel() or prod(sizes) > base.numel()):
            raise UnreadableError(
                f"a tensor in it has the shape {sizes}, and its numbers are {base.numel()}"
            )
        if not prod(sizes):
            return base.new_zeros(0).reshape(sizes)
        return torch.as_strided(base, sizes, strides, offset)

    def _base(self, storage: object) -> Tensor:
        """Return all numbers of a storage `(numbers,)`."""
        if not isinstance(storage, Storage) or len(storage.args) != 5:
            raise UnreadableError("a tensor in it has no numbers")
        _, kind, key, _, count = storage.args
        if not isinstance(kind, type) or not issubclass(kind, StandIn) or type(key) is not str:
            raise UnreadableError("the numbers of a tensor in it are of no kind")
        dtype = _TYPES.get(kind.name)
        if dtype is None:
            raise UnreadableError(f"it holds a tensor of {kind.name:.80}, which is not known")
        size = self._archive.size_of(key)
        if type(count) is not int or count * dtype.itemsize != size:
            raise UnreadableError(
                f"its numbers '{key}' are {size} bytes, and not those it speaks of"
            )
        if not size:
            return torch.empty(0, dtype=dtype)
        if key not in self._storages:
            self._storages[key] = self._archive.stored(key)
        return torch.frombuffer(self._storages[key], dtype=dtype)


def _arguments(value: StandIn) -> tuple[Any, ...]:
    if value.name == _PARAMETER and value.args and isinstance(value.args[0], StandIn):
        value = value.args[0]
    if value.name != _TENSOR or len(value.args) < 4:
        raise UnreadableError(f"it holds a tensor made by {value.name:.80}, which is not known")
    return value.args


def _sizes(value: object) -> tuple[int, ...]:
    if isinstance(value, StandIn) and value.name == "torch.Size" and value.args:
        value = value.args[0]
    if (
        isinstance(value, tuple)
        and len(value) <= _MOST_AXES
        and all(type(number) is int and 0 <= number < 2**62 for number in value)
    ):
        return value
    raise UnreadableError("the shape of a tensor in it makes no sense")
