"""Beginning with parts of a model that was trained before, and keeping some of them as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.checkpoint import load_file
from autolfads_trainer.userinput import InputError


def take_parts(model: LFADS, path: Path, parts: Sequence[str]) -> None:
    """Give a model the weights that a checkpoint has of some parts (`encoder`, `decoder`, …).

    Raises `InputError` naming the weight where one is missing or has another shape.
    """
    saved: Mapping[str, Any] = load_file(path).get("state_dict", {})
    wanted = {name: value for name, value in model.state_dict().items() if _is_of(name, parts)}
    for name, value in wanted.items():
        found = saved.get(name)
        if not isinstance(found, torch.Tensor):
            raise InputError(
                f"{path}: has no weights '{name}'; expected a model of the same kind, or fewer of "
                f"its parts (start.parts: {', '.join(parts)})"
            )
        if found.shape != value.shape:
            raise InputError(
                f"{path}: '{name}' has the shape {tuple(found.shape)}; expected "
                f"{tuple(value.shape)}: the sizes of `model` must be those of the checkpoint's"
            )
    model.load_state_dict({name: saved[name] for name in wanted}, strict=False)


def freeze(model: LFADS, parts: Sequence[str]) -> None:
    """Keep the weights of some parts as they are: they do not train."""
    for name, parameter in model.named_parameters():
        if _is_of(name, parts):
            parameter.requires_grad_(False)


def _is_of(name: str, parts: Sequence[str]) -> bool:
    return name.split(".", maxsplit=1)[0] in parts
