"""Archives as torch writes them, written again with something wrong."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any


def rebuilt(path: Path, good: bytes, pickled: bytes | None = None, **options: Any) -> Path:
    """Write a good archive again, with another pickle in it or packed."""
    with (
        zipfile.ZipFile(io.BytesIO(good)) as source,
        zipfile.ZipFile(path, "w", **options) as target,
    ):
        for entry in source.infolist():
            changed = pickled is not None and entry.filename.endswith("/data.pkl")
            target.writestr(entry.filename, pickled if changed else source.read(entry))
    return path


def add_overlapping_parts(path: Path) -> None:
    """Let eleven parts of an archive be the same bytes."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("good/data/9", bytes(10_000))
        first = archive.getinfo("good/data/9")
        for number in range(10, 20):
            copy = zipfile.ZipInfo(f"good/data/{number}")
            copy.header_offset, copy.file_size = first.header_offset, first.file_size
            copy.compress_size, copy.CRC = first.compress_size, first.CRC
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
