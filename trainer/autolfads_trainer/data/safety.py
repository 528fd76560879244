"""What is asked of a dataset before one of its numbers is read.

HDF5 does what a file says: opens other files that it names, allocates what it declares, unpacks
until there is no memory left. So links are followed by hand, and what a dataset is (its place,
type, layout, filters, chunks) is checked while nothing but its description has been read.
Everything that is refused is an `InputError` that names the file and the dataset.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5g, h5l, h5o, h5z
from numpy.typing import NDArray

from autolfads_trainer.data.memory import usable_memory
from autolfads_trainer.userinput import InputError

# What h5py raises for a file that is damaged, or refers to something that is not there.
BROKEN = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError, MemoryError)

PIECE = 64_000_000  # bytes that are read at a time, where chunks allow
MOST_LINKS = 16  # soft links followed for one name: they can run in a circle
MOST_CHUNKS = 1_000_000
_CHUNK_COST = 4096  # bytes that HDF5 2.0 takes for each chunk of a selection, measured: 3,924
_MOST_DEFLATED = 1032  # zlib packs at most so many bytes into one
_SLACK = 1024  # headers and checksums of a packed chunk
_SHARE = 0.9  # of the usable memory: the rest is for everything else that goes on

_CHECKSUM = h5z.FILTER_FLETCHER32
_SZIP = h5z.FILTER_SZIP
_DEFLATE = h5z.FILTER_DEFLATE
_ARITHMETIC = (h5z.FILTER_NBIT, h5z.FILTER_SCALEOFFSET)
_NO_COMPRESSORS = (h5z.FILTER_SHUFFLE, _CHECKSUM, *_ARITHMETIC)


@dataclass(frozen=True)
class Declared:
    """A dataset of numbers in the file itself, and how much memory reading it takes."""

    name: str
    dataset: Any  # h5py.Dataset
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many numbers it declares; exact, however many there are."""
        return prod(self.shape)

    @property
    def working_bytes(self) -> int:
        """Bytes needed while it is read and checked, beside the float32 that are kept."""
        chunks, itemsize = self.dataset.chunks, int(self.dataset.dtype.itemsize)
        rows = min(self.shape[0], self._rows) if self.shape else 1
        need = self.numbers * 6  # a rounded copy, and masks
        need += rows * prod(self.shape[1:]) * itemsize
        if chunks is not None:
            size = prod(chunks) * itemsize
            need += _chunks(self.shape, chunks) * _CHUNK_COST + 3 * size
        return need

    @property
    def _rows(self) -> int:
        """How many rows are read at a time: whole chunks, and one at least."""
        rows = self.dataset.chunks[0] if self.dataset.chunks else 1
        size = rows * prod(self.shape[1:]) * int(self.dataset.dtype.itemsize)
        return int(rows * max(1, PIECE // max(1, size)))

    def pieces(self) -> Iterator[slice]:
        """Yield slices of the first axis that are read one after another, no chunk twice."""
        rows = self._rows
        for start in range(0, self.shape[0], rows):
            yield slice(start, min(start + rows, self.shape[0]))


def numbers_of(found: Declared, path: Path, dtype: Any, part: Any = ()) -> NDArray[Any]:
    """Read a dataset, or `part` of it. Raises `InputError`."""
    try:
        return np.asarray(found.dataset[part], dtype=dtype)
    except BROKEN as error:
        raise InputError(f"{path}: '{found.name}' cannot be read: {error}") from None


def of_lists(dtype: Any) -> bool:
    """Return whether a dataset of this type has rows of different lengths, of whole numbers."""
    base = h5py.check_vlen_dtype(dtype)
    return isinstance(base, np.dtype) and base.kind in "iu"


def described(file: h5py.File, name: str, path: Path) -> tuple[tuple[int, ...] | None, Any]:
    """Return shape (None: a null dataspace) and dtype of the dataset `name`; read nothing of it.

    Opens no other file. Raises `InputError` where it is no dataset, or not in this file.
    """
    dataset = _dataset(file, name, path)
    try:
        return dataset.shape, dataset.dtype
    except BROKEN as error:
        raise InputError(f"{path}: '{name}' cannot be read: {error}") from None


def declared(file: h5py.File, name: str, path: Path) -> Declared:
    """Return the dataset `name` of numbers, checked in all but its size. Raises `InputError`."""
    shape, dtype = described(file, name, path)
    if dtype.kind not in "biuf":
        raise InputError(f"{path}: '{name}' holds {_kind(dtype)}; expected numbers")
    if shape is None:
        raise InputError(f"{path}: '{name}' holds nothing; expected numbers")
    dataset = _dataset(file, name, path)
    try:
        _refuse_odd_chunks(dataset, shape, name, path)
    except BROKEN as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: '{name}' cannot be read: {error}") from None
    return Declared(name, dataset, shape)


def _dataset(file: h5py.File, name: str, path: Path) -> Any:
    try:
        found = _followed(file, name, path)
        if not isinstance(found, h5d.DatasetID):
            raise InputError(f"{path}: '{name}' is a group; expected a dataset of numbers")
        # Before its shape is asked for: that of a virtual dataset may be looked up elsewhere.
        _refuse_other_files(found, name, path)
        return h5py.Dataset(found)
    except BROKEN as error:  # a link that leads nowhere, too
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: '{name}' cannot be read: {error}") from None


def refuse_what_does_not_fit(datasets: Iterable[Declared], path: Path) -> None:
    """Raise `InputError` unless all of them, as float32, and the work on one fit into memory."""
    most = int(_SHARE * usable_memory())
    kept = 0
    for one in datasets:
        kept += 4 * one.numbers
        if kept + one.working_bytes > most:
            sizes = " × ".join(str(size) for size in one.shape)
            raise InputError(
                f"{path}: '{one.name}' cannot be read: it declares {sizes} numbers, and would take "
                f"{_shown(kept + one.working_bytes)} of memory; {_shown(most)} can be used here"
            )
        _refuse_bombs(one, most - kept - one.working_bytes, path)


def _followed(file: h5py.File, name: str, path: Path) -> Any:
    """Open an object by its name, going by every link on the way ourselves."""
    root = h5g.open(file.id, b"/")
    here, links = root, 0
    parts = [name.encode()]
    while parts:
        part = parts.pop(0)
        if part in (b"", b"."):
            continue
        if not isinstance(here, h5g.GroupID):
            raise KeyError("a link leads through what is no group")
        kind = here.links.get_info(part).type
        if kind == h5l.TYPE_HARD:
            here = h5o.open(here, part)
        elif kind == h5l.TYPE_SOFT:
            links += 1
            if links > MOST_LINKS:
                raise KeyError(f"more than {MOST_LINKS} links lead to it")
            target = here.links.get_val(part)
            here = root if target.startswith(b"/") else here
            parts[:0] = target.split(b"/")
        else:
            other = ""
            if kind == h5l.TYPE_EXTERNAL:
                other = f", {here.links.get_val(part)[0].decode(errors='backslashreplace')!r}"
            raise InputError(
                f"{path}: '{name}' is a link into another file{other}; "
                "expected the numbers in this file"
            )
    return here


def _refuse_other_files(found: h5d.DatasetID, name: str, path: Path) -> None:
    created = found.get_create_plist()
    what = None
    if created.get_layout() == h5d.VIRTUAL:
        what = "is put together from other files (a virtual dataset)"
    elif created.get_external_count():
        what = "keeps its numbers in another file (external storage)"
    if what is not None:
        raise InputError(f"{path}: '{name}' {what}; expected the numbers in this file")


def _kind(dtype: Any) -> str:
    if h5py.check_ref_dtype(dtype) is not None:
        return "references"
    if h5py.check_vlen_dtype(dtype) not in (None, str, bytes):
        return "rows of different lengths"
    return str(dtype) if len(str(dtype)) <= 200 else f"{str(dtype)[:200]}..."


def _chunks(shape: tuple[int, ...], chunks: tuple[int, ...]) -> int:
    return prod(-(-size // step) for size, step in zip(shape, chunks, strict=True))


def _refuse_odd_chunks(dataset: Any, shape: tuple[int, ...], name: str, path: Path) -> None:
    """Refuse what no program writes, and would take more memory than the numbers themselves."""
    if dataset.chunks is None:
        return
    count = _chunks(shape, dataset.chunks)
    if count > MOST_CHUNKS:
        raise InputError(
            f"{path}: '{name}' cannot be read: it is cut into {count} chunks; "
            f"at most {MOST_CHUNKS} are read"
        )
    created = dataset.id.get_create_plist()
    filters = [created.get_filter(place) for place in range(created.get_nfilters())]
    compressors = [place for place, one in enumerate(filters) if one[0] not in _NO_COMPRESSORS]
    codes = [code for code, *_ in filters]
    odd = False
    if compressors:  # one, and last, so that a chunk's bytes are its own
        odd |= any(code != _CHECKSUM for code in codes[compressors[0] + 1 :])
    for code, _, values, _ in filters:
        if code in _ARITHMETIC:  # which believe the sizes that the file gives them
            numbers, size = (*values, 0, 0, 0, 0, 0)[2], (*values, 0, 0, 0, 0, 0)[4]
            odd |= numbers != prod(dataset.chunks) or size != dataset.dtype.itemsize
        if not h5z.filter_avail(code):
            raise InputError(
                f"{path}: '{name}' cannot be read: it is packed by the filter {code}, which is not "
                "installed here; expected gzip, lzf or no compression"
            )
    if odd:
        raise InputError(f"{path}: '{name}' cannot be read: it is packed in a way nobody packs")


def _refuse_bombs(one: Declared, room: int, path: Path) -> None:
    """Refuse chunks that unpack to more than they may hold: HDF5 would go on to the last byte."""
    dataset = one.dataset
    if dataset.chunks is None:
        return
    created = dataset.id.get_create_plist()
    codes = {created.get_filter(place)[0] for place in range(created.get_nfilters())}
    if not codes:
        return
    least = 5 if _CHECKSUM in codes else 1  # HDF5 2.0 crashes where there is only the checksum
    most = prod(dataset.chunks) * dataset.dtype.itemsize + _SLACK
    suspects: list[tuple[int, ...]] = []
    wrong: list[int] = []

    def look(chunk: Any) -> None:
        if not least <= chunk.size <= most:
            wrong.append(chunk.size)
        elif _SZIP in codes or chunk.size * _MOST_DEFLATED > room // 2:
            suspects.append(chunk.chunk_offset)

    try:
        dataset.id.chunk_iter(look)
        bomb = any(_unpacks_to_more(dataset, at, most, codes) for at in suspects)
    except BROKEN as error:
        raise InputError(f"{path}: '{one.name}' cannot be read: {error}") from None
    if wrong:
        raise InputError(f"{path}: '{one.name}' cannot be read: it has a chunk of {wrong[0]} bytes")
    if bomb:
        raise InputError(
            f"{path}: '{one.name}' cannot be read: a chunk unpacks to more than the "
            f"{most - _SLACK} bytes that it may hold"
        )


def _unpacks_to_more(dataset: Any, at: tuple[int, ...], most: int, codes: set[int]) -> bool:
    skipped, packed = dataset.id.read_direct_chunk(at)
    if _SZIP in codes:  # says itself, first, how much it will be
        return int.from_bytes(packed[:4], "little") > most and not skipped
    if _DEFLATE not in codes or skipped:
        return False
    try:
        return len(zlib.decompressobj().decompress(packed, most + 1)) > most
    except zlib.error:
        return False  # damaged: HDF5 says so when it comes there


def _shown(size: int) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 10_000:
            return f"{size} {unit}"
        size //= 1000
    return f"more than {np.iinfo(np.int64).max // 10**18} EB" if size > 10**6 else f"{size} PB"
