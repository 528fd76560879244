"""HDF5 files made to do harm: refused in one sentence, with no other file opened."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile_files import (
    CAN_WATCH,
    NAME,
    SHAPE,
    one_sentence,
    packed_chunk,
    patched,
    watched,
    with_dataset,
    zeros,
)
from recording_files import contents, write_file

from autolfads_trainer.data import safety
from autolfads_trainer.data.hdf5 import MOST_NAMES, read_recording

DEFLATE, CHECKSUM, SCALEOFFSET, LZF = 1, 3, 6, 32000


def refusal(path: Path) -> str:
    return one_sentence(path, read_recording)


# Other files.


def directly(file, other):
    file[NAME] = h5py.ExternalLink(other, f"/{NAME}")


def through_a_group(file, other):
    file["group"] = h5py.ExternalLink(other, "/")
    file[NAME] = h5py.SoftLink(f"/group/{NAME}")


def through_two_soft_links(file, other):
    file.create_group("a")["b"] = h5py.ExternalLink(other, f"/{NAME}")
    file["c"] = h5py.SoftLink("a/b")
    file[NAME] = h5py.SoftLink("./c")


def in_external_storage(file, other):
    file.create_dataset(NAME, SHAPE, "f4", external=[(other, 0, h5py.h5f.UNLIMITED)])


def virtually(file, other):
    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[:] = h5py.VirtualSource(other, NAME, SHAPE)
    file.create_virtual_dataset(NAME, layout)


def virtually_without_end(file, other):  # where already the shape is looked up in the other file
    layout = h5py.VirtualLayout(SHAPE, "f4", maxshape=(None, 7, 3))
    source = h5py.VirtualSource(other, NAME, SHAPE, maxshape=(None, 7, 3))
    layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    file.create_virtual_dataset(NAME, layout)


OTHERS = [
    (directly, "is a link into another file, "),
    (through_a_group, "is a link into another file, "),
    (through_two_soft_links, "is a link into another file, "),
    (in_external_storage, "keeps its numbers in another file (external storage); "),
    (virtually, "is put together from other files (a virtual dataset); "),
    (virtually_without_end, "is put together from other files (a virtual dataset); "),
]


@pytest.mark.skipif(not CAN_WATCH, reason="inotify is Linux's")
@pytest.mark.parametrize(("make", "message"), OTHERS)
def test_no_other_file_is_opened(make, message, tmp_path):
    other = write_file(tmp_path / "other.h5", contents())
    path = with_dataset(tmp_path / "a.h5", lambda file: make(file, str(other)))

    with watched(other) as opened:
        assert refusal(path).startswith(f"'{NAME}' {message}")
        assert not opened()

        with h5py.File(path) as file:  # the watch would see it
            np.asarray(file[NAME][()])
        assert opened()


@pytest.mark.parametrize("name", ["conversion_factor", "train_truth", "train_ext_input"])
def test_what_may_be_there_may_not_be_elsewhere(name, tmp_path):
    made = contents(train_truth=np.ones((6, 9, 5)), conversion_factor=1.0)
    path = write_file(tmp_path / "a.h5", made | {name: h5py.ExternalLink("b.h5", "/a")})

    assert refusal(path).startswith(f"'{name}' is a link into another file, 'b.h5'")


def test_links_within_the_file_are_followed(tmp_path):
    path = with_dataset(tmp_path / "a.h5", lambda file: None)
    with h5py.File(path, "r+") as file:
        file["kept/numbers"] = contents()[NAME]
        file["link"] = h5py.SoftLink("/kept/./numbers")
        file[NAME] = h5py.SoftLink("link")

    assert read_recording(path).train.encod.shape == SHAPE


def test_links_in_a_circle(tmp_path):
    def circle(file):
        file[NAME] = h5py.SoftLink("b")
        file["b"] = h5py.SoftLink(NAME)

    message = refusal(with_dataset(tmp_path / "a.h5", circle))

    assert f"'{NAME}' cannot be read: " in message
    assert "more than 16 links lead to it" in message


# Kinds.


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (h5py.ref_dtype, "holds references; expected numbers"),
        (h5py.regionref_dtype, "holds references; expected numbers"),
        (h5py.vlen_dtype(np.float32), "holds rows of different lengths; expected numbers"),
        (h5py.string_dtype(), "holds object; expected numbers"),
        (h5py.opaque_dtype(np.dtype("M8[s]")), "holds datetime64[s]; expected numbers"),
        (np.dtype(("f4", (2,))), "expected numbers"),
    ],
)
def test_what_is_no_number(dtype, message, tmp_path):
    path = with_dataset(tmp_path / "a.h5", lambda file: file.create_dataset(NAME, SHAPE, dtype))

    assert refusal(path).endswith(message)


def test_a_kind_of_a_thousand_parts_is_not_told_in_full(tmp_path):
    dtype = np.dtype([(f"part{number}", "f4") for number in range(1000)])
    path = with_dataset(tmp_path / "a.h5", lambda file: file.create_dataset(NAME, SHAPE, dtype))

    assert len(refusal(path)) < 300


# Names.


def test_a_name_that_is_not_utf_8_is_told(tmp_path):
    path = with_dataset(tmp_path / "a.h5", lambda file: h5py.h5g.create(file.id, b"gro\xdf"))

    assert refusal(path).startswith(r"the name b'gro\xdf' is not UTF-8")


def test_a_file_of_ever_so_many_names(tmp_path):
    def many(file):
        for number in range(MOST_NAMES):
            file[f"train_encod_{number}"] = h5py.SoftLink("x")

    path = with_dataset(tmp_path / "a.h5", many)
    assert refusal(path) == f"holds more than {MOST_NAMES} names; expected a few datasets"

    with h5py.File(path, "r+") as file:
        for number in range(MOST_NAMES - 100):
            del file[f"train_encod_{number}"]
    message = refusal(path)
    assert "has no dataset 'train_encod_data' (did you mean 'train_" in message
    assert message.endswith(" and 83 more")
    assert len(message) < 1000


def test_names_that_a_terminal_obeys_are_shown_and_not_obeyed(tmp_path):
    path = with_dataset(tmp_path / "a.h5", lambda file: file.create_group("\x1b[2J"))

    assert r"\x1b[2J" in refusal(path)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_would_be_waited_for_is_not_opened(kind, tmp_path):
    path = Path("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "a.h5"
        os.mkfifo(path)

    assert refusal(path) == "is no regular file; expected one HDF5 file"


# Sizes.


@pytest.mark.parametrize("chunks", [None, (1, 1, 1), (2**10, 2**10, 1)])
@pytest.mark.parametrize(
    "size",
    [
        10**9,
        2**31,  # squared and in bytes: 2^64, nothing where sizes are counted in 64 bits
        2**62,
        2**63,
        2**64 - 2,
    ],
)
def test_a_shape_beyond_any_memory(size, chunks, tmp_path):
    first, second = 1_234_567, 7_654_321
    path = with_dataset(
        tmp_path / "a.h5",
        lambda file: file.create_dataset(NAME, (first, second, 1), "f4", chunks=chunks),
    )
    content = path.read_bytes()  # changed by hand: HDF5 does not write all of these itself
    path.write_bytes(patched(patched(content, first, size), second, size))

    assert refusal(path).startswith(f"'{NAME}' cannot be read: ")


def test_what_does_not_fit_is_told_with_what_would(tmp_path, monkeypatch):
    monkeypatch.setattr(safety, "usable_memory", lambda: 50_000_000)
    path = with_dataset(
        tmp_path / "a.h5", lambda file: file.create_dataset(NAME, (100, 1000, 40), "f8")
    )

    assert refusal(path) == (
        f"'{NAME}' cannot be read: it declares 100 × 1000 × 40 numbers, and would take 72 MB of "
        "memory; 45 MB can be used here"
    )


def test_all_datasets_together_must_fit(tmp_path, monkeypatch):
    path = write_file(tmp_path / "a.h5", contents())
    # The largest alone is not what decides: float32 of all, and the work on the last one.
    most = 4 * sum(value.size for value in contents().values())
    most += (4 + 6) * contents()["valid_recon_data"].size

    monkeypatch.setattr(safety, "_SHARE", 1)
    monkeypatch.setattr(safety, "usable_memory", lambda: most)
    assert read_recording(path).sizes.train_trials == 6

    monkeypatch.setattr(safety, "usable_memory", lambda: most - 1)
    assert "'valid_recon_data' cannot be read: it declares" in refusal(path)


def test_reading_takes_no_more_than_was_reckoned(tmp_path):
    value = np.random.default_rng(0).poisson(2.0, (40, 200, 50)).astype("f8")
    made = {f"{split}_{part}_data": value for split in ("train", "valid") for part in ("encod",)}
    made |= {f"{split}_recon_data": value for split in ("train", "valid")}
    path = write_file(tmp_path / "a.h5", made)

    tracemalloc.start()
    read_recording(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * 4 * value.size + 14 * value.size + 2_000_000


def test_more_chunks_than_memory_has_room_for(tmp_path):
    path = with_dataset(
        tmp_path / "a.h5",
        lambda file: file.create_dataset(NAME, (10**4, 101, 1), "u1", chunks=(1, 1, 1)),
    )

    assert refusal(path) == (
        f"'{NAME}' cannot be read: it is cut into 1010000 chunks; at most 1000000 are read"
    )


# Bombs: small chunks that HDF5 would unpack to the end.


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(safety, "usable_memory", lambda: 1_000_000)


def test_a_chunk_that_unpacks_to_more_than_it_may_hold(tmp_path, little_memory):
    path = packed_chunk(tmp_path / "a.h5", zeros(1 << 20), DEFLATE, values=(9,))

    assert refusal(path) == (
        f"'{NAME}' cannot be read: a chunk unpacks to more than the 504 bytes that it may hold"
    )


def test_a_chunk_that_is_larger_packed_than_it_may_be_unpacked(tmp_path):
    path = packed_chunk(tmp_path / "a.h5", zeros(1 << 24), DEFLATE, values=(9,))

    assert refusal(path).startswith(f"'{NAME}' cannot be read: it has a chunk of 16")


def test_a_chunk_that_is_packed_twice(tmp_path):
    path = packed_chunk(tmp_path / "a.h5", zeros(1 << 20), DEFLATE, LZF, values=(4, 0, 504))

    assert refusal(path) == f"'{NAME}' cannot be read: it is packed in a way nobody packs"


def test_a_filter_that_is_told_to_unpack_more_than_the_chunk(tmp_path):
    values = (2, 0, 2**28, 0, 4, 0, 0, 0, *(0,) * 12)
    good = np.ones(SHAPE, "i4")
    path = with_dataset(
        tmp_path / "a.h5", lambda file: file.create_dataset(NAME, data=good, scaleoffset=3)
    )
    assert read_recording(path).train.encod.shape == SHAPE

    content = path.read_bytes()
    with h5py.File(path) as file:
        given = file[NAME].id.get_create_plist().get_filter(0)[2]
    old = np.array(given, "<u4").tobytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, np.array(values[: len(given)], "<u4").tobytes()))
    assert refusal(path) == f"'{NAME}' cannot be read: it is packed in a way nobody packs"


@pytest.mark.parametrize("size", [1, 4])
def test_a_chunk_of_nothing_but_its_checksum(size, tmp_path):  # HDF5 2.0 crashes
    path = packed_chunk(tmp_path / "a.h5", bytes(size), CHECKSUM)

    assert refusal(path) == f"'{NAME}' cannot be read: it has a chunk of {size} bytes"


def test_a_filter_that_is_not_installed_is_named(tmp_path):
    path = packed_chunk(tmp_path / "a.h5", bytes(504), 32_001)

    assert "it is packed by the filter 32001, which is not installed here" in refusal(path)


def test_a_factor_that_makes_the_truth_infinite(tmp_path):
    made = contents(train_truth=np.ones((6, 9, 5)), conversion_factor=1e-50)
    assert refusal(write_file(tmp_path / "a.h5", made)).startswith("'conversion_factor' is 1e-50;")

    made["conversion_factor"] = 1e-30
    made["train_truth"] = np.full((6, 9, 5), 1e30)
    message = refusal(write_file(tmp_path / "a.h5", made))
    assert message.endswith("expected a finite rate once divided by conversion_factor")
