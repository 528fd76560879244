"""Augmentations as a pickled stack holds them, taken back to how a configuration names them."""

from __future__ import annotations

import struct
from typing import Any

from autolfads_trainer.config import classes

_FOLDER = classes.STACK.rpartition(".")[0]
_MOST = 1e30  # that is a float32 even when it is rounded up
# The arguments of each class, and the attributes that keep them.
_ATTRIBUTES: dict[str, dict[str, tuple[str, ...]]] = {
    "CoordinatedDropout": {
        "cd_rate": ("cd_rate",),
        "cd_pass_rate": ("cd_pass_dist", "probs"),  # of a Bernoulli distribution
        "ic_enc_seq_len": ("ic_enc_seq_len",),
    },
    "SpikeJitter": {"width": ("width",)},
    "TemporalShift": {"std": ("std",), "max_shift": ("max",)},
    "SampleValidation": {
        name: (name,) for name in ("sv_rate", "ic_enc_seq_len", "recon_reduce_mean")
    },
    "SelectiveBackpropThruTime": {},
}


def stack_of(pickled: object) -> tuple[dict[str, Any], list[str]] | None:
    """Return the configuration of a pickled stack, and the classes in it that are not known.

    None: it is no `AugmentationStack`.
    """
    if not isinstance(pickled, dict) or _name(pickled) != "AugmentationStack":
        return None
    transforms: list[dict[str, Any]] = []
    orders: dict[str, list[int]] = {}
    unknown: set[str] = set()
    for order, kept in (("batch_order", "batch_transforms"), ("loss_order", "loss_transforms")):
        orders[order] = []
        parts = pickled.get(kept)
        for part in parts if isinstance(parts, list) else []:
            known = _transform(part)
            if known is None:
                unknown.add(str(part.get("_target_") if isinstance(part, dict) else part))
                continue
            if known not in transforms:
                transforms.append(known)
            orders[order].append(transforms.index(known))
    return {"_target_": classes.STACK, "transforms": transforms, **orders}, sorted(unknown)


def _transform(part: object) -> dict[str, Any] | None:
    if not isinstance(part, dict) or _name(part) not in _ATTRIBUTES:
        return None
    found: dict[str, Any] = {"_target_": f"{_FOLDER}.{_name(part)}"}
    for argument, (attribute, *deeper) in _ATTRIBUTES[_name(part)].items():
        value = part.get(attribute)
        for name in deeper:  # a distribution's tensor, of which there is a float32
            value = value.get(name) if isinstance(value, dict) else None
            value = _as_written(value) if isinstance(value, float) else value
        if isinstance(value, bool | int | float):
            found[argument] = value
    return found


def _as_written(value: float) -> float:
    """Return the shortest number whose float32 is `value`: 0.1."""
    if not abs(value) < _MOST:
        return value
    of_32_bits = struct.pack("f", value)
    shorter = (float(f"{value:.{digits}g}") for digits in range(1, 9))
    return next((short for short in shorter if struct.pack("f", short) == of_32_bits), value)


def _name(part: dict[str, Any]) -> str:
    return str(part.get("_target_", "")).rpartition(".")[2]
