"""Fuzz target: a recording is read, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import atheris
from harness import fuzz
from hostile_files import check_sentence, recordings

with atheris.instrument_imports(include=["autolfads_trainer.data", "h5py"]):
    from autolfads_trainer.data.hdf5 import read_recording
    from autolfads_trainer.userinput import InputError


def one(path: Path) -> None:
    try:
        read_recording(path)
    except InputError as error:
        check_sentence(error, path)


fuzz(one, recordings())
