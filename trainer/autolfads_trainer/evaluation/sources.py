"""Where the files of results are: in a folder, in a zip, or given by name."""

from __future__ import annotations

import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from autolfads_trainer.userinput import InputError, is_special

PREFIX, SUFFIX = "lfads_output_", ".h5"
ARCHIVE = "autolfads.zip"

_EXPECTED = (
    f"expected the results folder of a run, its {ARCHIVE}, or a file '{PREFIX}<session>{SUFFIX}'"
)
_NAME = re.compile(rf"{PREFIX}[^/\\\x00-\x1f]+{re.escape(SUFFIX)}")
_BLOCK = 1 << 20
_LEFT_FREE = 64 << 20  # bytes of the disk that temporary files leave to others
# What zipfile raises for an archive that is damaged, or packed in a way it does not know.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def files_of(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield every file of results, and the name to show for it, in the order of sessions.

    A file from a zip is there only until the next one is asked for. Raises `InputError`.
    """
    kind = _kind(path)
    if kind == "folder":
        yield from _in_folder(path)
    elif kind == "zip":
        yield from _in_zip(path)
    else:
        yield path, path


def _kind(path: Path) -> str:
    try:
        if is_special(path):
            raise InputError(f"{path}: is no regular file; {_EXPECTED}")
        if path.is_dir():
            return "folder"
        with path.open("rb") as file:
            return "zip" if file.read(2) == b"PK" else "file"
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; {_EXPECTED}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read: {error}") from None  # a null byte in the name


def _in_folder(folder: Path) -> Iterator[tuple[Path, Path]]:
    # Somebody may name the run's folder, which has the results in it.
    for place in (folder, folder / "results"):
        found = _outputs_in(place)
        if found:
            yield from ((file, file) for file in found)
            return
        if (place / ARCHIVE).is_file():
            yield from _in_zip(place / ARCHIVE)
            return
    raise InputError(f"{folder}: holds no file of results; {_EXPECTED}")


def _outputs_in(folder: Path) -> list[Path]:
    try:
        names = [entry.name for entry in os.scandir(folder) if _NAME.fullmatch(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None
    return [folder / name for name in sorted(names, key=_in_order)]


def _in_zip(path: Path) -> Iterator[tuple[Path, Path]]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, *_BROKEN) as error:
        raise InputError(f"{path}: is a broken zip: {error}; {_EXPECTED}") from None
    with archive, TemporaryDirectory(prefix="autolfads-") as scratch:
        target = Path(scratch) / f"output{SUFFIX}"
        for name, entry in _entries(archive, path):
            _unpack(archive, entry, target, path)
            yield target, path / name
            with suppress(FileNotFoundError):
                target.unlink()


def _entries(archive: zipfile.ZipFile, path: Path) -> list[tuple[str, zipfile.ZipInfo]]:
    """Return the files of results, in the order of sessions; what else there is is left alone."""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        place = PurePosixPath(entry.filename.replace("\\", "/"))
        if entry.is_dir() or not _NAME.fullmatch(place.name):
            continue
        if place.is_absolute() or ".." in place.parts:
            raise InputError(
                f"{path}: holds '{entry.filename}', a place outside of it; expected names within"
            )
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise InputError(
                f"{path}: '{entry.filename}' is a link or a device; expected a regular file"
            )
        if place.name in found:
            raise InputError(f"{path}: holds '{place.name}' twice; expected one of each session")
        found[place.name] = entry
    if not found:
        raise InputError(f"{path}: holds no file '{PREFIX}<session>{SUFFIX}'; {_EXPECTED}")
    return sorted(found.items(), key=lambda item: _in_order(item[0]))


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, path: Path) -> None:
    room = shutil.disk_usage(target.parent).free - _LEFT_FREE
    if entry.file_size > room:
        raise InputError(
            f"{path}: '{entry.filename}' unpacks to {entry.file_size} bytes; "
            f"{max(0, room)} are free in {target.parent.parent}, where temporary files go"
        )
    try:
        with archive.open(entry) as source, target.open("wb") as written:
            # Never more than it says: zipfile stops there.
            while block := source.read(_BLOCK):
                written.write(block)
    except _BROKEN as error:
        raise InputError(f"{path}: '{entry.filename}' cannot be unpacked: {error}") from None
    except OSError as error:
        if error.errno is None:  # zipfile's own
            raise InputError(f"{path}: '{entry.filename}' cannot be unpacked: {error}") from None
        raise


def _in_order(name: str) -> list[tuple[int, str]]:
    """Sort `sess2` before `sess10`."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
