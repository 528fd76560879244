"""Files of the run directory made to do harm: a record, or one error of the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_directory_examples import EVERY_KIND

from autolfads_trainer.records import Record
from autolfads_trainer.store import MAX_JSON_BYTES, RunFolder, StoreError, read

EXAMPLES = settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
KINDS = st.sampled_from(EVERY_KIND)


def read_or_refused(path: Path, content: bytes, kind: type[Record]) -> Record | None:
    path.write_bytes(content)
    try:
        found = read(path, kind)
    except StoreError as error:
        assert str(error).startswith(f"{path}: ")
        return None
    assert isinstance(found, kind)
    found.model_dump_json()  # what was read can be passed on
    return found


ATOMS = st.sampled_from(
    [
        *("null", "true", "NaN", "-Infinity", "1e999", "-0.0", "0.1", '""', "[]", "{}", "2", "-1"),
        *(r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', '"members/000/../../x"', '"/etc/passwd"'),
        *(
            "9" * 400,
            "9" * 5000,
            "1" + "0" * 19,
            "1.0",
            "[" * 300 + "]" * 300,
            '"' + "x" * 9999 + '"',
        ),
        *("[1, 2, 3]", "[null, 1]", '{"a": 1, "a": 2}', "'a'", "// a", "0x10", "01", "{a: 1}"),
    ]
)


@settings(EXAMPLES, max_examples=400)
@given(record=KINDS, changes=st.dictionaries(st.integers(0, 30), ATOMS, min_size=1, max_size=3))
def test_with_some_values_replaced(record, changes, tmp_path):
    plain = json.loads(record.model_dump_json(by_alias=True))
    keys = [*plain, "format", "unknown", next(iter(plain))]
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in plain.items()]
    for place, atom in changes.items():  # at the end, so that keys are given twice
        parts.append(f"{json.dumps(keys[place % len(keys)])}: {atom}")

    read_or_refused(
        tmp_path / "record.json", "{{{}}}".format(", ".join(parts)).encode(), type(record)
    )


@settings(EXAMPLES, max_examples=200)
@given(
    record=KINDS,
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=4),
    cut=st.none() | st.integers(0, 3000),
)
def test_with_some_bytes_changed(record, changes, cut, tmp_path):
    content = bytearray(record.model_dump_json(by_alias=True).encode())
    for place, byte in changes:
        content[place % len(content)] = byte
    read_or_refused(tmp_path / "record.json", bytes(content[:cut]), type(record))


@pytest.mark.parametrize("record", EVERY_KIND[1:3], ids=lambda record: type(record).__name__)
@pytest.mark.parametrize(
    "content",
    [
        b"[" * (MAX_JSON_BYTES - 1),
        b'{"format":' * 300_000,
        b'{"' + b"x" * (MAX_JSON_BYTES - 9) + b'":1}',
        b"9" * MAX_JSON_BYTES,
        b'"' + rb"\ud800" * 600_000 + b'"',
        b'{"format": 1' + b', "format": 1' * 300_000 + b"}",
        b"[" + b"[]," * 1_300_000 + b"[]]",
        b"\xff" * MAX_JSON_BYTES,
        b"\0" * MAX_JSON_BYTES,
        b" " * MAX_JSON_BYTES,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_huge_and_deep_records(content, record, tmp_path):
    assert read_or_refused(tmp_path / "record.json", content, type(record)) is None


PARTS = st.sampled_from(
    [*("..", ".", "", "members", "000", "a", "-", "~", "$HOME", "\\..", "..\\", "C:", "a\0b", "*")]
) | st.text(max_size=5)


@settings(EXAMPLES, max_examples=250)
@given(st.lists(PARTS, max_size=5).map("/".join) | st.text(max_size=20))
def test_a_name_is_inside_or_refused(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    try:
        path = folder.path(name)
    except StoreError as error:
        assert str(error)
    else:
        inside = (tmp_path / "run").resolve()
        assert inside in path.resolve().parents


@pytest.mark.parametrize("name", ["link", "link/a", "members/link/gen-001", "members/link"])
def test_a_link_out_of_the_folder_is_refused(name, tmp_path):
    run = tmp_path / "run"
    (tmp_path / "other").mkdir()
    (run / "members").mkdir(parents=True)
    (run / "link").symlink_to(tmp_path / "other")
    (run / "members" / "link").symlink_to("../../other")

    with pytest.raises(StoreError, match="is a link"):
        RunFolder(run).path(name)
