"""Putting the start values into a data file, so that it is whole at any moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import h5py

from autolfads_trainer.data.pcr.sessions import NAMES, Session
from autolfads_trainer.data.problems.writing import check_target, is_one_of
from autolfads_trainer.data.starts import READIN_WEIGHT
from autolfads_trainer.disk import write_with
from autolfads_trainer.userinput import InputError


def refuse_twice(paths: Sequence[Path]) -> None:
    """Raise `InputError` where two paths are one file."""
    there = [path for path in paths if path.exists()]
    for one, other in combinations(there, 2):
        if one.samefile(other):
            raise InputError(f"pcr: {one} and {other} are one file; expected each session once")


def copies_in(folder: Path, sources: Sequence[Path], *, force: bool) -> list[Path]:
    """Return where the files' copies go. Raises `InputError` unless all of them may be written."""
    targets = [folder / source.name for source in sources]
    for i, target in enumerate(targets):
        if target in targets[:i]:
            first = sources[targets.index(target)]
            raise InputError(
                f"{sources[i]}: has the same name as {first}; expected files of different names, "
                f"since both go into {folder}"
            )
        if is_one_of(target, sources):
            raise InputError(
                f"{target}: is one of the files to be read; expected another folder for --out-dir, "
                "or --in-place"
            )
        check_target(target, force=force)
    return targets


def refuse_to_change(session: Session, *, force: bool) -> None:
    """Raise `InputError` unless the session's file may be changed, and loses nothing by it."""
    if not os.access(session.path, os.W_OK):
        raise InputError(
            f"{session.path}: may not be changed; expected a file that can be written, or --out-dir"
        )
    there = [name for name in NAMES if name in session.averages.keys]
    if there and not force:
        raise InputError(
            f"{session.path}: has {' and '.join(there)} already; expected a file without start "
            "values, or --force to replace them"
        )


def write_start(
    session: Session, target: Path, attributes: Mapping[str, str | int | float]
) -> None:
    """Write `target`: the session's file with the session's arrays as its only start values.

    `attributes` are those of readin_weight. The target may be the file itself: it is replaced by
    one that is complete and on the disk. Who may read a replaced file stays the same, and a link
    to it leads to the new one. Raises `InputError` where that fails.
    """

    def make(name: Path) -> None:
        shutil.copyfile(session.path, name)
        # Home folders are often on NFS, where HDF5's own locks fail.
        with h5py.File(name, "r+", locking=False) as file:
            for key in NAMES:
                if key in file:
                    del file[key]
            for key, values in session.arrays.items():
                file.create_dataset(key, data=values)
            file[READIN_WEIGHT].attrs.update(attributes)
        if target.exists():
            shutil.copymode(target, name)

    try:  # h5py reports a full disk at close as RuntimeError
        write_with(target.resolve() if target == session.path else target, make)
    except (OSError, RuntimeError, LookupError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{target}: cannot be written: {reason}") from error
