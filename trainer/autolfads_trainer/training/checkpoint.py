"""Checkpoints: written whole or not at all, read without running any code that they hold."""

from __future__ import annotations

import pickle
import zipfile
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
    except (RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: is not a checkpoint that can be read safely: {reason}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise InputError(f"{path}: expected a checkpoint of format {FORMAT}; found {found!r}")
    return content
