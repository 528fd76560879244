"""What `torch.save` writes is an archive: whether a file is one, before torch or we believe it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NO_ARCHIVE = "it is no archive as torch writes them"

_BEGINNING = b"PK\x03\x04"
_FOLDER = 0x10  # of the attributes that an entry has from MS-DOS


@contextmanager
def opened_archive(path: Path) -> Iterator[tuple[zipfile.ZipFile, int] | None]:
    """Open the archive `path` and give out its bytes, too; None: it does not begin as one.

    Raises whatever zipfile raises.
    """
    with path.open("rb") as file:
        if file.read(len(_BEGINNING)) != _BEGINNING:
            yield None
            return
        with zipfile.ZipFile(file) as archive:
            yield archive, os.fstat(file.fileno()).st_size


def oddity_of(entries: Sequence[zipfile.ZipInfo], size: int) -> str | None:
    """Return what torch never writes in an archive of `size` bytes; None: nothing odd.

    Nothing is unpacked, and nothing read twice: both take memory without bound.
    """
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        return "it is packed, as torch never does"
    if any(entry.is_dir() or entry.external_attr & _FOLDER for entry in entries):
        # torch takes the part's memory, puts nothing there, and gives out what lay there.
        return "a part of it is marked as a folder"
    if sum(entry.file_size for entry in entries) > size:
        return "its parts overlap"
    return None
