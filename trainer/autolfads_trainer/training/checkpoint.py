"""Checkpoints: written whole or not at all, read without running any code that they hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from autolfads_trainer.store import write_with
from autolfads_trainer.userinput import InputError

FORMAT = 1


def save_file(path: Path, content: dict[str, Any]) -> None:
    """Write `content` (tensors, numbers, text, lists and mappings of them) to `path`."""
    write_with(path, lambda name: torch.save({"format": FORMAT, **content}, name))


def load_file(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU. Raises `InputError` naming the file.

    Only tensors and plain values are accepted (`weights_only`): a file from a stranger runs no
    code.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint") from None
    except pickle.UnpicklingError:
        # Not in torch's words, which advise to load the file without this protection.
        reason = "it is damaged, or holds more than tensors and plain values"
        raise InputError(f"{path}: is not a checkpoint that can be read safely: {reason}") from None
    except Exception as error:  # torch raises nearly anything for a file that is none
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"{path}: is not a checkpoint that can be read safely: {reason}") from None
    if not isinstance(content, dict):
        found: object = type(content).__name__
    else:
        found = content.get("format")
        if type(found) is int and found == FORMAT:
            return content
    raise InputError(f"{path}: expected a checkpoint of format {FORMAT}; found {found!r}")
