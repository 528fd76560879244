"""Fuzz target: a checkpoint is what was saved, or refused in one sentence; no code runs.

The first byte says whether the rest is a whole file, or the pickle within a sound one: else the
checksums would keep nearly everything from being tried.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from pathlib import Path

import atheris
import torch
from harness import fuzz
from hostile_files import check_sentence

with atheris.instrument_imports(
    include=["autolfads_trainer.training.checkpoint", "torch._weights_only_unpickler", "zipfile"]
):
    from autolfads_trainer.training.checkpoint import load_file, save_file
    from autolfads_trainer.userinput import InputError


def forbidden(*_: object) -> None:
    raise AssertionError("code of the checkpoint was run")


os.system = os.execv = forbidden

with tempfile.TemporaryDirectory() as folder:
    saved = Path(folder) / "good.ckpt"
    save_file(saved, {"w": torch.ones(2, 3), "n": [1, 2.5, "σ", None], "d": {"b": torch.arange(3)}})
    GOOD = saved.read_bytes()
with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
    PARTS = {entry.filename: archive.read(entry) for entry in archive.infolist()}
PICKLE = next(name for name in PARTS if name.endswith("data.pkl"))


def one(path: Path) -> None:
    content = path.read_bytes()
    if content[:1] == b"p":
        with zipfile.ZipFile(path, "w") as target:
            for name, part in (PARTS | {PICKLE: content[1:]}).items():
                target.writestr(name, part)
    else:
        path.write_bytes(content[1:])
    try:
        load_file(path)
    except InputError as error:
        check_sentence(error, path)


fuzz(one, [b"p" + PARTS[PICKLE], b"f" + GOOD])
