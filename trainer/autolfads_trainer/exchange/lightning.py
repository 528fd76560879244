"""Checkpoints of the existing pipeline, as PyTorch Lightning writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from autolfads_trainer.exchange.archive import UnreadableError, opened
from autolfads_trainer.exchange.inert import StandIn, described
from autolfads_trainer.exchange.plain import Plain, mapping_of
from autolfads_trainer.exchange.tensors import Tensors, is_tensor
from autolfads_trainer.userinput import InputError, is_special, shown

EXPECTED = "a checkpoint of PyTorch Lightning, with its state_dict and hyper_parameters"

# Metrics and augmentations can be modules, too: the values that they keep are no weights.
_NO_WEIGHT = re.compile(r"(callbacks|(train|valid|test|infer)_\w+)\.")
_PARTS = ("readin.", "readout.", "encoder.", "decoder.", "recon.", "ic_prior.", "co_prior.")
_WRAPPED = "model."
_VERSION = "pytorch-lightning_version"

T = TypeVar("T")


@dataclass(frozen=True)
class Foreign:
    """What the existing pipeline saved of a model."""

    path: Path
    state_dict: dict[str, Tensor]  # the existing pipeline's names are ours
    hyperparameters: dict[str, Any]  # plain values; objects are dicts with their `_target_`
    lightning_version: str | None
    epoch: int | None
    global_step: int | None
    left_out: tuple[str, ...] = ()  # names in its state_dict that are no weights of the model


def read_lightning(path: Path) -> Foreign:
    """Read a `.ckpt` of the existing pipeline onto the CPU, with nothing of it installed.

    No code in the file is run. Raises `InputError` naming the file.
    """
    return _read(path, lambda content, tensors: _foreign(path, content, tensors))


def is_ours(path: Path) -> bool:
    """Return whether a checkpoint is one of this package, by the number of its format.

    Raises `InputError` naming the file where it is nobody's.
    """
    return _read(path, lambda content, _: _has_our_format(mapping_of(content) or {}))


def is_lightning(path: Path) -> bool:
    """Return whether a file is a checkpoint of PyTorch Lightning that can be read safely."""

    def look(content: Any, _: Tensors) -> bool:
        found = mapping_of(content) or {}
        return {"state_dict", "pytorch-lightning_version"} <= set(found)

    try:
        return _read(path, look)
    except InputError:
        return False


def _read(path: Path, take: Callable[[Any, Tensors], T]) -> T:
    if is_special(path):
        raise InputError(f"{path}: is no regular file; expected a checkpoint")
    try:
        with opened(path) as archive:
            return take(described(archive.pickled()), Tensors(archive))
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint") from None
    except Exception as error:  # zipfile raises nearly anything for a file that is none
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"{path}: is not a checkpoint that can be read safely: {reason}") from None


def _foreign(path: Path, content: object, tensors: Tensors) -> Foreign:
    found = mapping_of(content)
    if found is None:
        raise InputError(f"{path}: holds {_kind(content)}; expected {EXPECTED}")
    if _has_our_format(found):
        raise InputError(f"{path}: is a checkpoint of autolfads already; expected {EXPECTED}")
    weights = mapping_of(found.get("state_dict"))
    if weights is None:
        keys = ", ".join(sorted(str(key) for key in found if isinstance(key, str))) or "nothing"
        raise InputError(f"{path}: has no state_dict, but {keys:.200}; expected {EXPECTED}")
    state_dict, left_out = _weights(path, weights, tensors)
    hyperparameters = Plain(tensors).value(found.get("hyper_parameters"))
    if hyperparameters is not None and not isinstance(hyperparameters, dict):
        raise InputError(
            f"{path}: hyper_parameters: found {shown(hyperparameters)}; expected a mapping"
        )
    version = found.get(_VERSION)
    return Foreign(
        path=path,
        state_dict=state_dict,
        hyperparameters=hyperparameters or {},
        lightning_version=version if isinstance(version, str) else None,
        epoch=_count(found.get("epoch")),
        global_step=_count(found.get("global_step")),
        left_out=left_out,
    )


def _weights(
    path: Path, described: dict[Any, Any], tensors: Tensors
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    weights: dict[str, Tensor] = {}
    left_out = []
    for key, value in described.items():
        if not isinstance(key, str):
            raise InputError(f"{path}: state_dict: found the name {shown(key)}; expected text")
        name = key.removeprefix(_WRAPPED)
        if not name.startswith(_PARTS):
            name = key
        if _NO_WEIGHT.match(name):
            left_out.append(key)
        elif name in weights:
            raise InputError(f"{path}: state_dict: has '{name}' and '{_WRAPPED}{name}'")
        elif is_tensor(value):
            weights[name] = tensors.made(value)
        else:
            raise InputError(f"{path}: state_dict: '{key}' is {_kind(value)}; expected a tensor")
    if sum(weight.nbytes for weight in weights.values()) > tensors.bytes_read:
        # Together they would take more memory than the file has bytes.
        raise UnreadableError("its weights overlap")
    return weights, tuple(left_out)


def _has_our_format(content: dict[Any, Any]) -> bool:
    return type(content.get("format")) is int and _VERSION not in content


def _kind(value: object) -> str:
    if isinstance(value, StandIn):
        return "a tensor" if is_tensor(value) else f"an object of {value.name:.80}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def _count(value: object) -> int | None:
    return value if type(value) is int else None
