"""Whatever an HDF5 file is: a recording, or one sentence that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hostile_files import check_sentence, recordings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording_files import contents

from autolfads_trainer.data.hdf5 import OPTIONAL, REQUIRED, Recording, read_recording
from autolfads_trainer.userinput import InputError

pytestmark = pytest.mark.filterwarnings("error")
# The same examples each time: what HDF5 itself cannot bear is looked for by tests/soak/fuzz.
EXAMPLES = settings(
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def outcome(path: Path) -> Recording | None:
    try:
        return read_recording(path)
    except InputError as error:
        check_sentence(error, path)
        return None


NAMES = st.sampled_from([*REQUIRED, *OPTIONAL, "conversion_factor", "group", "other"])
SIZES = st.lists(st.sampled_from([0, 1, 2, 4, 6, 7, 9, 2**40]), max_size=4).map(tuple)
TYPES = st.sampled_from(
    [
        *("u1", "i8", "f2", ">f4", "f8", "?", "c8", "S3", "V4"),
        h5py.string_dtype(),
        h5py.ref_dtype,
        h5py.regionref_dtype,
        h5py.vlen_dtype("i4"),
        h5py.enum_dtype({"a": 1, "b": 2}),
        [("a", "f4")],
        np.dtype(("i2", (2, 2))),
    ]
)
TARGETS = st.sampled_from(
    ["/", ".", "group", "/group/x", "group/../a", "", "//", *REQUIRED, "a\0b"]
)
LINKS = (
    st.builds(h5py.SoftLink, TARGETS)
    | st.builds(h5py.ExternalLink, st.sampled_from(["no.h5", "file.h5", "/dev/null"]), TARGETS)
    | st.just(h5py.Empty("f4"))
    | st.floats()
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "chunks": st.just(True),
        "compression": st.sampled_from(["gzip", "lzf"]),
        "fletcher32": st.just(True),
        "fillvalue": st.sampled_from([0, 1, 3]),
    },
)
THINGS = LINKS | st.tuples(SIZES, TYPES, OPTIONS) | st.just("group") | st.just("as it was")


def put(file: h5py.File, name: str, thing: Any) -> None:
    try:
        if isinstance(thing, tuple):
            shape, dtype, options = thing
            file.create_dataset(name, shape, dtype, **options)
        elif thing == "group":
            file.create_group(name)
        elif thing == "as it was":
            file[name] = contents().get(name, 1.0)
        else:
            file[name] = thing
    except (TypeError, ValueError, OSError, RuntimeError, KeyError, AttributeError):
        pass  # nothing that h5py can write


@settings(EXAMPLES, max_examples=150)
@given(
    made=st.dictionaries(NAMES, THINGS, max_size=3), libver=st.sampled_from(["earliest", "v110"])
)
def test_of_whatever_a_file_is_built(made, libver, tmp_path):
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver=libver) as file:
        for name, thing in made.items():
            put(file, name, thing)
        for name, value in contents().items():
            if name not in made:
                file[name] = value

    outcome(path)


GOOD = recordings()


@settings(EXAMPLES, max_examples=400)
@given(
    whole=st.sampled_from(GOOD),
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_with_some_bytes_changed(whole, changes, tmp_path):
    spoiled = bytearray(whole)
    for place, byte in changes:
        spoiled[place % len(spoiled)] = byte
    path = tmp_path / "file.h5"
    path.write_bytes(spoiled)

    outcome(path)


@pytest.mark.parametrize("which", range(len(GOOD)))
def test_cut_at_any_length(which, tmp_path):
    path = tmp_path / "file.h5"
    whole = GOOD[which]
    path.write_bytes(whole)
    assert outcome(path) is not None
    step = max(1, len(whole) // 400)
    for length in {*range(0, 200, 7), *range(0, len(whole), step), len(whole) - 1}:
        path.write_bytes(whole[:length])
        assert outcome(path) is None, f"read with {length} of {len(whole)} bytes"
