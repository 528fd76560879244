"""The archive that `torch.save` writes: its parts, looked at before any of them is believed."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autolfads_trainer.torch_archive import NO_ARCHIVE, oddity_of, opened_archive

MAX_PICKLE = 4_000_000  # bytes; with an optimizer's state and all callbacks it has about 0.1 MB

_PICKLE = re.compile(r"[^/]+/data\.pkl")


class UnreadableError(ValueError):
    """What is wrong with a file, in words that follow its name."""


class Archive:
    """The pickle and the storages of one file, each stored as it is.

    Their checksums are compared when they are read, by zipfile.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._entries = {entry.filename: entry for entry in archive.infolist()}
        self._check(size)
        pickles = [name for name in self._entries if _PICKLE.fullmatch(name)]
        if len(pickles) != 1:
            raise UnreadableError(f"it has {len(pickles)} parts called data.pkl, and not one")
        self._pickle = pickles[0]
        self._folder = self._pickle.removesuffix("data.pkl")
        order = self._folder + "byteorder"
        if order in self._entries and archive.read(order) != b"little":
            raise UnreadableError("its numbers are not little-endian")

    def pickled(self) -> bytes:
        """Return the pickle that describes the content."""
        return self._archive.read(self._pickle)

    def size_of(self, key: str) -> int:
        """Return how many bytes the storage `key` has."""
        return self._storage(key).file_size

    def stored(self, key: str) -> bytearray:
        """Return the bytes of the storage `key`."""
        return bytearray(self._archive.read(self._storage(key)))

    def _storage(self, key: str) -> zipfile.ZipInfo:
        name = f"{self._folder}data/{key}"
        if name not in self._entries:
            raise UnreadableError(f"its numbers '{key:.20}' are not in it")
        return self._entries[name]

    def _check(self, size: int) -> None:
        entries = self._archive.infolist()
        if len(self._entries) != len(entries):
            raise UnreadableError("two of its parts have the same name")
        odd = oddity_of(entries, size)
        if odd is not None:
            raise UnreadableError(odd)
        for entry in entries:
            if entry.filename.endswith("/data.pkl") and entry.file_size > MAX_PICKLE:
                raise UnreadableError(
                    f"its description has {entry.file_size} bytes; at most {MAX_PICKLE} are read"
                )


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open the archive `path`. Raises `UnreadableError`, and whatever zipfile raises."""
    with opened_archive(path) as found:
        if found is None:
            raise UnreadableError(NO_ARCHIVE)
        yield Archive(*found)
