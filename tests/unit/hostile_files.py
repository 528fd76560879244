"""Files made to do harm, and ways to see whether they did."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from recording_files import contents, write_file

from autolfads_trainer.userinput import InputError

NAME = "train_encod_data"
SHAPE = (6, 7, 3)
_IN_OPEN, _IN_NONBLOCK = 0x20, 0o4000
CAN_WATCH = sys.platform == "linux"


@contextmanager
def watched(path: Path) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether anybody, C libraries too, has opened `path` (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(_IN_NONBLOCK)
    assert watch >= 0
    assert libc.inotify_add_watch(watch, os.fsencode(path), _IN_OPEN) >= 0

    def opened() -> bool:
        try:
            return bool(os.read(watch, 4096))
        except BlockingIOError:
            return False

    try:
        yield opened
    finally:
        os.close(watch)


def one_sentence(path: Path, read: Callable[[Path], object]) -> str:
    """Return what reading `path` is refused with; fail if it is not refused, or not properly."""
    try:
        read(path)
    except InputError as error:
        check_sentence(error, path)
        return str(error).removeprefix(f"{path}: ")
    raise AssertionError(f"{path} was read")


def check_sentence(error: InputError, path: Path) -> None:
    """See that an error names the file and can be printed anywhere."""
    assert str(error).startswith(f"{path}: ")
    assert len(str(error)) <= 10_000
    assert str(error).encode()
    assert not any(ord(letter) < 32 for letter in str(error).replace("\n", ""))


def with_dataset(path: Path, make: Callable[[h5py.File], object]) -> Path:
    """Write a good recording in which `make` puts the dataset `NAME`."""
    write_file(path, contents())
    with h5py.File(path, "r+") as file:
        del file[NAME]
        make(file)
    return path


def packed_chunk(
    path: Path, chunk: bytes, *codes: int, values: tuple[int, ...] = (), mask: int = 0
) -> Path:
    """Write a good recording whose dataset `NAME` has the one chunk as it is given."""

    def make(file: h5py.File) -> None:
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk(SHAPE)
        for code in codes:
            created.set_filter(code, h5py.h5z.FLAG_OPTIONAL, values)
        space = h5py.h5s.create_simple(SHAPE)
        made = h5py.h5d.create(file.id, NAME.encode(), h5py.h5t.NATIVE_FLOAT, space, created)
        made.write_direct_chunk((0, 0, 0), chunk, mask)

    return with_dataset(path, make)


def zeros(size: int) -> bytes:
    """Return `size` zeros as zlib packs them."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


def recordings() -> list[bytes]:
    """Return good recordings in the layouts that HDF5 has, old and new."""
    import io  # noqa: PLC0415

    found = []
    more = {"train_ext_input": np.ones((6, 7, 1)), "valid_ext_input": np.ones((4, 7, 1))}
    more |= {"train_truth": np.ones((6, 9, 5)), "conversion_factor": np.float64(2.0)}
    for version in ("earliest", "latest"):
        for options in (
            {},
            {"chunks": (2, 3, 1)},
            {"chunks": (2, 3, 1), "compression": "gzip", "shuffle": True, "fletcher32": True},
            {"chunks": True, "compression": "lzf", "maxshape": (None, None, None)},
            {"chunks": (1, 1, 1), "fletcher32": True},
        ):
            with io.BytesIO() as whole:
                with h5py.File(whole, "w", libver=version) as file:
                    for name, value in contents(**more).items():
                        file.create_dataset(name, data=value, **(options if value.ndim else {}))
                found.append(whole.getvalue())
    return found


def patched(content: bytes, old: int, new: int, size: str = "<Q") -> bytes:
    """Return `content` with each stored number `old` changed, as no library would write it."""
    return content.replace(struct.pack(size, old), struct.pack(size, new))
