"""Checkpoints: written whole or not at all, read without running any code that they hold."""

from __future__ import annotations

import hashlib
import io
import pickle
import pickletools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from autolfads_trainer.disk import write_bytes
from autolfads_trainer.torch_archive import NO_ARCHIVE, oddity_of, opened_archive
from autolfads_trainer.userinput import InputError, is_special

FORMAT = 1

_PROTOCOL = 2  # torch's
# What pickles of tensors and plain values name, and the ways to call what is not named so.
_KNOWN = re.compile(r"torch \w+Storage|torch\._utils _rebuild_tensor_v2|collections OrderedDict")
_STRANGE = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"}


def save_file(path: Path, content: dict[str, Any]) -> str:
    """Write `content` (tensors, numbers, text, lists and mappings of them) to `path`.

    Tensors of a GPU are written as the CPU's, so that the file can be read where there is none.
    Returns the sha256 of the file, by which damage is noticed when it is read.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **_on_cpu(content)}, buffer)
    whole = buffer.getvalue()
    write_bytes(path, whole)
    return hashlib.sha256(whole).hexdigest()


def load_file(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU. Raises `InputError` naming the file.

    Only tensors and plain values are accepted (`weights_only`): a file from a stranger runs no
    code. Nor is anything unpacked, which takes memory without bound.
    """
    if is_special(path):
        raise InputError(f"{path}: is no regular file; expected a checkpoint")
    try:
        reason = _oddity(path)
        if reason is None:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint") from None
    except pickle.UnpicklingError:
        # Not in torch's words, which advise to load the file without this protection.
        reason = "it is damaged, or holds more than tensors and plain values"
    except Exception as error:  # torch raises nearly anything for a file that is none
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    if reason is not None:
        raise InputError(f"{path}: is not a checkpoint that can be read safely: {reason}")
    if not isinstance(content, dict):
        found: object = type(content).__name__
    else:
        found = content.get("format")
        if type(found) is int and found == FORMAT:
            return content
    raise InputError(f"{path}: expected a checkpoint of format {FORMAT}; found {found!r:.200}")


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        here = value.cpu()
        # Of a slice torch would write all that it is a slice of.
        return here if here.untyped_storage().nbytes() == here.nbytes else here.clone()
    if isinstance(value, Mapping):
        return {key: _on_cpu(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_on_cpu, value))
    return value


def _oddity(path: Path) -> str | None:
    """Return what is wrong with the archive that a checkpoint is; None: it is as torch writes it.

    torch neither looks at the checksums nor minds packed entries, and reads older formats, which
    have neither.
    """
    with opened_archive(path) as found:
        if found is None:
            return NO_ARCHIVE
        archive, size = found
        entries = archive.infolist()
        odd = oddity_of(entries, size)
        if odd is not None:
            return odd
        broken = archive.testzip()
        if broken is not None:
            return f"the checksum of '{broken}' is wrong"
        pickled = [entry for entry in entries if entry.filename.endswith("data.pkl")]
        return next(filter(None, (_strange_call(archive.read(entry)) for entry in pickled)), None)


def _strange_call(pickled: bytes) -> str | None:
    """Return what a pickle calls that no saved tensor needs; None: nothing.

    What `weights_only` lets through is more, `bytearray(10**12)` among it.
    """
    for opcode, value, _ in pickletools.genops(pickled):
        if opcode.name == "PROTO" and value != _PROTOCOL:
            return f"its pickle is of protocol {value}"
        if opcode.name in _STRANGE or (
            opcode.name == "GLOBAL" and not _KNOWN.fullmatch(str(value))
        ):
            return f"it calls what no tensor needs ({value or opcode.name})"
    return None
