"""Prepare, once and first: make or check the data, resolve the configuration, or say what is wrong.

Needs no torch: a bad file is told within a second.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from autolfads_trainer.config import resolve
from autolfads_trainer.data.hdf5 import fingerprint, read_recording
from autolfads_trainer.data.problems import describe, generate, write
from autolfads_trainer.records import Outcome, Task
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks.context import Context, Said
from autolfads_trainer.userinput import InputError


def prepare(context: Context, task: Task) -> Outcome:
    """Return what the run will be frozen from. Raises `InputError` for what the user can mend."""
    owner = context.folder.owner()
    if owner is None:
        raise InputError(f"{context.folder.root}: has no owner.json; expected a run directory")
    spec = owner.spec
    context.say(Said("checking the data"))
    relative, path = _data(context.folder, task, spec["data"])
    recording = read_recording(path)
    config_file = Path(spec["configFile"]) if spec.get("configFile") else None
    resolved = resolve(
        spec,
        config_file=config_file,
        sizes=recording.sizes,
        allow_import=context.allow_import,
    )
    configuration = resolved.configuration
    if configuration["seed"] is None:
        # Drawn here: it is in a record, written once, before anything follows from it.
        configuration = {**configuration, "seed": secrets.randbelow(2**31)}
    if relative is not None:  # the run directory may be moved, and the data with it
        datamodule = {**configuration["datamodule"], "data_paths": [relative]}
        configuration = {**configuration, "datamodule": datamodule}
    return Outcome(
        outcome="finished",
        result={
            "configuration": configuration,
            "searchSpace": resolved.search_space,
            "notes": [*recording.notes, *resolved.notes],
            "data": {
                "path": relative or str(path),
                "sha256": fingerprint(path),
                "session": "sess0",
            },
        },
    )


def _data(folder: RunFolder, task: Task, data: dict[str, Any]) -> tuple[str | None, Path]:
    """Return the data's place: (relative to the run directory if it is generated there, path)."""
    if not data.get("generate"):
        return None, Path(data["path"])
    settings = {name: value for name, value in data["generate"].items() if value is not None}
    problem, seed = settings.pop("problem"), settings.pop("seed", 0)
    relative = f"{task.folder}/{problem}.h5"
    path = folder.path(relative)
    arrays = generate(problem, seed, **settings)
    write(path, arrays, describe(problem, seed, **settings), force=True)
    return relative, path
