"""Writing an HDF5 file so that it is whole or absent."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
from numpy.typing import NDArray

from autolfads_trainer.disk import write_with
from autolfads_trainer.disk_errors import may_pass
from autolfads_trainer.userinput import InputError


def write(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, str | int | float],
    *,
    force: bool = False,
    in_a_run: bool = False,
) -> None:
    """Write `arrays` as the datasets and `attributes` as the file attributes of an HDF5 file.

    The file gets its name once it is complete and on the disk, and the same input gives the same
    bytes. Raises `InputError` as `check_target` does, and when the disk refuses; `in_a_run` an
    `OSError` where that can pass, since a run waits for its disk.
    """
    check_target(path, force=force)

    def fill(name: Path) -> None:
        # Home folders are often on NFS, where HDF5's own locks fail.
        with h5py.File(name, "x", locking=False) as file:
            for key, array in arrays.items():
                text = array.dtype.kind == "U"
                file.create_dataset(key, data=array.astype(h5py.string_dtype()) if text else array)
            file.attrs.update(attributes)

    try:
        with TemporaryDirectory(prefix="autolfads-") as scratch:
            # HDF5 writes here and there in a file: shared volumes are spared that.
            local = Path(scratch) / path.name
            fill(local)
            write_with(path, lambda name: shutil.copyfile(local, name))
    except (OSError, RuntimeError) as error:  # h5py reports a full disk at close as RuntimeError
        if in_a_run and may_pass(error):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be written: {reason}") from error


def check_target(path: Path, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise `InputError` unless a file may be written to `path`: known before the work is done.

    It must be none of the `inputs`, whatever is forced.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected the name of the HDF5 file to write")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it first")
    if is_one_of(path, inputs):
        raise InputError(f"{path}: is one of the files to be read; choose another name")
    if path.exists() and not force:
        raise InputError(f"{path}: exists already; choose another name, or overwrite with --force")


def is_one_of(path: Path, others: Iterable[Path]) -> bool:
    """Return whether `path` is one of these files, by whatever name."""
    return path.exists() and any(one.exists() and path.samefile(one) for one in others)
