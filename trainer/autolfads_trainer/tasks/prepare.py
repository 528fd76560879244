"""Prepare, once and first: make or check the data, resolve the configuration, or say what is wrong.

Needs no torch: a bad file is told within a second.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autolfads_trainer.config.classes import OF_COUNTS, held_out_by
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.data.expected import expected_by
from autolfads_trainer.data.hdf5 import Recording, fingerprint, read_recording
from autolfads_trainer.data.problems import describe, generate, write
from autolfads_trainer.data.sessions import names_of, sizes_of, uneven
from autolfads_trainer.data.trial import try_to_read
from autolfads_trainer.disk import write_with
from autolfads_trainer.disk_errors import may_pass
from autolfads_trainer.disk_use import disk_use, in_units
from autolfads_trainer.needs import measured, refuse_what_cannot_fit
from autolfads_trainer.records import DiskUse, Outcome, Task
from autolfads_trainer.session_paths import paths_of
from autolfads_trainer.tasks.context import Context, Said
from autolfads_trainer.userinput import InputError


def prepare(context: Context, task: Task) -> Outcome:
    """Return what the run will be frozen from. Raises `InputError` for what the user can mend."""
    owner = context.folder.owner()
    if owner is None:
        raise InputError(f"{context.folder.root}: has no owner.json; expected a run directory")
    spec = owner.spec
    context.say(Said("checking the data"))
    relative, paths = _data(context, task, spec["data"])
    sha256s, recordings = zip(*(_read(context, relative, path) for path in paths), strict=True)
    sizes = sizes_of(recordings)
    config_file = Path(spec["configFile"]) if spec.get("configFile") else None
    resolved = resolve(
        spec, config_file=config_file, sizes=sizes, allow_import=context.allow_import
    )
    configuration = resolved.configuration
    parts = configuration["model"]["reconstruction"]
    for recording, part in zip(recordings, parts, strict=True):
        recording.refuse_unless(expected_by(part), encod=part["_target_"] in OF_COUNTS)
    _refuse_a_precision_that_is_not_there(context, configuration["trainer"]["precision"])
    if configuration["seed"] is None:
        # Drawn here: it is in a record, written once, before anything follows from it.
        configuration = {**configuration, "seed": secrets.randbelow(2**31)}
    if relative is not None:  # the run directory may be moved, and the data with it
        datamodule = {**configuration["datamodule"], "data_paths": [relative]}
        configuration = {**configuration, "datamodule": datamodule}
    if "start" in configuration:
        configuration = {**configuration, "start": _start(context, task, configuration, paths[0])}
    notes = [note for recording in recordings for note in recording.notes]
    notes += [*uneven(recordings), *resolved.notes]
    data_bytes = sum(path.stat().st_size for path in paths)
    start_bytes = 0
    if "start" in configuration:
        start_bytes = context.folder.path(configuration["start"]["checkpoint"]).stat().st_size
    disk = disk_use(
        spec,
        configuration,
        resolved.search_space,
        sizes,
        data_bytes=data_bytes,
        start_bytes=start_bytes,
        notes=notes,
    )
    if context.measures_with:
        notes += _needs(context, configuration, recordings)
    room_at = context.room_at or context.folder.root
    _refuse_too_small_a_disk(room_at, disk, data_bytes if relative else 0)
    data, *further = (
        {"path": relative or str(path), "sha256": sha256 or fingerprint(path), "session": name}
        for path, sha256, name in zip(paths, sha256s, names_of(paths), strict=True)
    )
    return Outcome(
        outcome="finished",
        result={
            "configuration": configuration,
            "searchSpace": resolved.search_space,
            "disk": disk.model_dump(),
            "notes": [*notes, _told(disk)],
            "told": _sessions_told(recordings, [data, *further]),
            "data": data,
            **({"furtherData": further} if further else {}),
        },
    )


def _sessions_told(recordings: Sequence[Recording], data: Sequence[dict[str, Any]]) -> str:
    """Return of what each session is, in words."""
    sizes = [recording.sizes for recording in recordings]
    bins = f"{sizes[0].encod_steps} bins seen, {sizes[0].recon_steps} to explain"
    each = [
        f"{one.encod_dim} channels seen, {one.recon_dim} to explain,"
        f" {one.train_trials} + {one.valid_trials} trials"
        for one in sizes
    ]
    if len(each) == 1:
        return f"{each[0]}; {bins}"
    named = "; ".join(f"{one['session']}: {of}" for one, of in zip(data, each, strict=True))
    return f"{len(each)} sessions ({named}); {bins}"


def _start(
    context: Context, task: Task, configuration: dict[str, Any], data: Path
) -> dict[str, Any]:
    """Take the checkpoint that members begin with into the run, and see that it fits."""
    from autolfads_trainer.model.lfads import LFADS  # noqa: PLC0415  (it loads torch)
    from autolfads_trainer.training.trained_parts import take_parts  # noqa: PLC0415

    said = configuration["start"]
    source = data.parent / said["checkpoint"]  # which an absolute path replaces
    take_parts(LFADS(configuration["model"]), source, said["parts"])
    inside = f"{task.folder}/start.ckpt"
    write_with(context.folder.path(inside), lambda name: shutil.copyfile(source, name))
    return {**said, "checkpoint": inside}


def _read(context: Context, relative: str | None, path: Path) -> tuple[str | None, Recording]:
    """Return a file's sha256, if it can be read, and what it holds."""
    sha256 = context.file_of_a_user(path, _fingerprint)
    try:
        return sha256, _recording(path, of_a_stranger=relative is None)
    except InputError:
        if _fingerprint(path) is None:
            raise
        # Once more: a disk can fail between two reads, and a file is not to blame for that.
        return sha256, _recording(path, of_a_stranger=relative is None)


def _needs(
    context: Context, configuration: dict[str, Any], recordings: Sequence[Recording]
) -> list[str]:
    """Train for a few steps, and return what time and memory the whole run takes here."""
    from autolfads_trainer.data.dataset import Dataset  # noqa: PLC0415  (it loads torch)

    context.say(Said("measuring a few steps"))
    datamodule = configuration["datamodule"]
    if (seed := datamodule["reshuffle_tv_seed"]) is not None:
        ratio = datamodule["reshuffle_tv_ratio"]
        recordings = [recording.reshuffled(seed, ratio) for recording in recordings]
    held_out = held_out_by(configuration["model"])
    device = context.torch_device()
    if device.type == "cpu":
        refuse_what_cannot_fit(configuration["model"], datamodule["batch_size"])
    data = Dataset.of(recordings, device, sv_rate=held_out)
    members, epochs = configuration["pbt"]["num_samples"], configuration["trainer"]["max_epochs"]
    return measured(configuration, data).told(members, epochs, context.measures_with)


def _refuse_a_precision_that_is_not_there(context: Context, asked: str) -> None:
    """Raise `InputError` now, while nothing is decided yet, where this device will train."""
    if context.trains and asked == "tf32":  # that alone can be missing, and asking loads torch
        from autolfads_trainer.training.precision import use_precision  # noqa: PLC0415

        use_precision(asked, context.torch_device())


def _recording(path: Path, *, of_a_stranger: bool) -> Recording:
    if of_a_stranger:  # should it crash the reader, it is not this process
        try_to_read(path)
    return read_recording(path)


def _fingerprint(path: Path) -> str | None:
    """Return the file's sha256; None: it cannot be read, and reading it tells the user why.

    Taken before anything else is read, since it tells a disk's trouble, which passes, as that:
    HDF5 would call the file broken.
    """
    try:
        return fingerprint(path) if path.is_file() else None
    except OSError as error:
        if may_pass(error):
            raise
        return None


def _told(disk: DiskUse) -> str:
    return (
        f"needs at most {in_units(disk.bytes)} of disk and {disk.files:,} files and folders "
        f"(one checkpoint: {in_units(disk.checkpoint_bytes)})"
    )


def _refuse_too_small_a_disk(folder: Path, disk: DiskUse, had: int) -> None:
    """Raise `InputError` unless `folder` has room for the run, of which it has `had` bytes.

    The folder may be one that will be made.
    """
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    volume = os.statvfs(there)
    free, needed = volume.f_bavail * volume.f_frsize, disk.bytes - had
    helps = "a smaller population (spec.population), or a folder on a disk with more room"
    # Some network file systems tell of no blocks, and several of no files: they are not asked.
    if volume.f_blocks > 0 and free < needed:
        raise InputError(
            f"{folder}: the disk has {in_units(free)} free; this run may need {in_units(needed)} "
            f"(one checkpoint: {in_units(disk.checkpoint_bytes)}); expected {helps}"
        )
    if volume.f_files > 0 and volume.f_favail < disk.files:
        raise InputError(
            f"{folder}: the disk can hold {volume.f_favail:,} more files; this run may need "
            f"{disk.files:,}; expected {helps}"
        )


def _data(context: Context, task: Task, data: dict[str, Any]) -> tuple[str | None, list[Path]]:
    """Return the data's place: (relative to the run directory if it is generated there, paths)."""
    if not data.get("generate"):
        return None, paths_of(context.data_at or data["path"])
    settings = {name: value for name, value in data["generate"].items() if value is not None}
    problem, seed = settings.pop("problem"), settings.pop("seed", 0)
    relative = f"{task.folder}/{problem}.h5"
    path = context.folder.path(relative)
    arrays = generate(problem, seed, **settings)
    write(path, arrays, describe(problem, seed, **settings), force=True, in_a_run=True)
    return relative, [path]
