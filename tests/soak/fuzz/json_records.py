"""Fuzz target: a file of the run directory is a record, or refused by name; names stay inside."""

from __future__ import annotations

from pathlib import Path

import atheris
from harness import fuzz

with atheris.instrument_imports(include=["autolfads_trainer.store", "autolfads_trainer.records"]):
    from run_directory_examples import EVERY_KIND

    from autolfads_trainer.store import RunFolder, StoreError, read


def one(path: Path) -> None:
    for kind in dict.fromkeys(type(record) for record in EVERY_KIND):
        try:
            read(path, kind).model_dump_json()
        except StoreError as error:
            assert str(error).startswith(f"{path}: ")
    name = path.read_bytes()[:200].decode(errors="replace")
    try:
        inside = RunFolder(path.parent).path(name)
    except StoreError:
        return
    assert path.parent.resolve() in inside.resolve().parents


fuzz(one, [record.model_dump_json(by_alias=True).encode() for record in EVERY_KIND])
