"""A file of the run directory that is not what it must be is one error naming file and key."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from run_directory_examples import EVERY_KIND, order, run

from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import Order, Outcome, Owner, Record, Run, WorkerStatus
from autolfads_trainer.store import (
    MANY,
    RunFolder,
    create_once,
    read,
    read_if_there,
    replace,
)

PLAIN: dict[str, Any] = json.loads(order().model_dump_json(by_alias=True))


def text(**changes: Any) -> str:
    return json.dumps(PLAIN | changes)


def without(key: str) -> str:
    return json.dumps({name: value for name, value in PLAIN.items() if name != key})


def error_of(path: Path, content: bytes | str, kind: type[Record] = Order) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(StoreError) as caught:
        read(path, kind)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message) < 400
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is cut, or no record: Invalid JSON: EOF"),
        ('{"member": 3,', "is cut, or no record: Invalid JSON: EOF"),
        ("member: 3", "is cut, or no record: Invalid JSON: expected value"),
        (text() + text(), "is cut, or no record: Invalid JSON: trailing characters"),
        ("[]", "is cut, or no record: Input should be an object"),
        ("7", "is cut, or no record: Input should be an object"),
        ("null", "is cut, or no record: Input should be an object"),
        (b'{"why": "\xff\xfe"}', "is cut, or no record: Invalid JSON: invalid unicode"),
        ("[" * 50_000, "is cut, or no record: Invalid JSON: recursion limit"),
        ('{"x":' * 12_000, "is cut, or no record: Invalid JSON: recursion limit"),
        (
            text(format=4)[:-1] + ', "x": ' + "[" * 50_000,
            "is cut, or no record: Invalid JSON: recursion",
        ),
        (without("member"), "member: Field required"),
        (without("startEpoch"), "startEpoch: Field required"),
        (text(member="three"), "member: Input should be a valid integer"),
        (text(member=-1), "member: Input should be greater than or equal to 0"),
        (text(generation=0), "generation: Input should be greater than or equal to 1"),
        (text(epochs=0), "epochs: Input should be greater than or equal to 1"),
        (text(epochs=1.5), "epochs: Input should be a valid integer"),
        (text(startEpoch=math.nan), "startEpoch: Input should be a finite number"),
        (text(parent=[1]), "parent.1: Field required"),
        (text(parent=[1, 2, 3]), "parent: Tuple should have at most 2 items"),
        (text(parent="none"), "parent: Input should be a valid array"),
        (text(copied="maybe"), "copied: Input should be a valid boolean"),
        (text(why=None), "why: Input should be a valid string"),
        (text(hyperparameters=[1]), "hyperparameters: Input should be an object"),
        (text(hyperparameters={"model.lr_init": "high"}), "hyperparameters.model.lr_init: Input"),
        (text(hyperparameters={"model.lr_init": None}), "hyperparameters.model.lr_init: Input"),
        (text(format="1"), "format: Input should be 1, 2 or 3"),
        (text(format=None), "format: Input should be 1, 2 or 3"),
        (text(format=2.5), "format: Input should be 1, 2 or 3"),
        (
            text().replace('"format": 2', '"format": ' + "9" * 5000),
            "is cut, or no record: Invalid JSON",
        ),
    ],
)
def test_what_is_wrong_with_a_record_is_told_with_its_file_and_key(content, message, tmp_path):
    assert error_of(tmp_path / "order.json", content).startswith(message)


@pytest.mark.parametrize(
    "content", [text(format=4), text(format=4, parent={"new": "shape"}), '{"format": 4}']
)
def test_a_record_of_a_newer_format_says_so_and_nothing_else(content, tmp_path):
    message = error_of(tmp_path / "order.json", content)

    assert message == (
        "was written by a newer version (format 4; this one reads formats 1 to 3); "
        "expected the version that made it"
    )


def test_a_folder_of_another_version_names_the_version_that_it_needs(tmp_path):
    owner = {"format": 7, "autolfads": "4.2.0", "name": "reach"}
    message = error_of(tmp_path / "owner.json", json.dumps(owner), Owner)
    assert message == (
        "was written by a newer version (format 7; this one reads formats 1 to 3); "
        "expected autolfads 4.2.0 that made it"
    )
    older = error_of(tmp_path / "owner.json", json.dumps({**owner, "format": 0}), Owner)
    assert older.startswith("was written by an older version (format 0;")


def test_a_key_deep_in_a_record_is_named_in_full(tmp_path):
    broken = json.loads(run().model_dump_json(by_alias=True))
    broken["pbt"]["minImprovementRatio"] = "small"

    message = error_of(tmp_path / "run.json", json.dumps(broken), Run)

    assert message.startswith("pbt.minImprovementRatio: Input should be a valid number")


@pytest.mark.parametrize("word", ["done", "", "Finished", None])
def test_an_outcome_is_one_of_four_words(word, tmp_path):
    message = error_of(tmp_path / "outcome.json", json.dumps({"outcome": word}), Outcome)

    assert message == (
        "outcome: Input should be 'finished', 'failed', 'saved' or 'abandoned'; expected it as "
        "autolfads wrote it: restore the file, or begin a run in another folder"
    )


def test_a_record_may_have_exactly_so_many_bytes(tmp_path):
    path = tmp_path / "order.json"
    whole = text()
    path.write_text(whole + " " * (MANY - len(whole)))
    assert read(path, Order) == order()

    message = error_of(path, whole + " " * (MANY - len(whole) + 1))
    assert message == f"has more than {MANY} bytes"


def test_what_members_have_many_of_is_small_and_what_a_run_has_one_of_can_be_larger(tmp_path):
    folder = RunFolder(tmp_path)
    for place, fits in (("members/000/gen-001/attempt-1", False), ("prepare/attempt-1", True)):
        (tmp_path / place).mkdir(parents=True)
        large = {"outcome": "finished", "result": {"x": "y" * MANY}}
        (tmp_path / place / "outcome.json").write_text(json.dumps(large))
        if fits:
            assert folder.outcome(place) is not None
        else:
            with pytest.raises(StoreError, match=f"has more than {MANY} bytes"):
                folder.outcome(place)


def test_no_more_of_a_file_without_end_is_read_than_is_needed_to_refuse_it(tmp_path):
    endless = tmp_path / "order.json"
    with endless.open("wb") as file:
        file.truncate(1 << 42)  # takes no room on the disk; reading all of it would take for ever

    with pytest.raises(StoreError, match="has more than"):
        read(endless, Order)


def test_a_file_that_is_not_there_is_no_record_and_not_an_error_of_the_store(tmp_path):
    assert read_if_there(tmp_path / "order.json", Order) is None
    assert read_if_there(tmp_path / "no" / "folder" / "order.json", Order) is None
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "order.json", Order)


def test_a_broken_record_is_not_taken_for_an_absent_one(tmp_path):
    (tmp_path / "order.json").write_text("{}")

    with pytest.raises(StoreError, match="member: Field required"):
        read_if_there(tmp_path / "order.json", Order)


def test_what_a_newer_program_adds_within_the_format_is_read_over(tmp_path):
    path = tmp_path / "order.json"
    path.write_text(text(temperature=3, nested={"a": [1]}))

    assert read(path, Order) == order()


@pytest.mark.parametrize("record", EVERY_KIND, ids=lambda record: type(record).__name__)
def test_every_kind_of_record_is_read_as_it_was_written(record, tmp_path):
    path = tmp_path / "record.json"

    assert create_once(path, record) == record
    assert read(path, type(record)) == record
    replace(path, record)
    assert read(path, type(record)) == record
    assert json.loads(path.read_text())["format"] == 2


@pytest.mark.parametrize(
    "more",
    [
        '"steps": ' + "9" * 400,
        '"savedEpoch": 1152921504606846976',
        '"epoch": Infinity',
        '"epoch": NaN',
        '"waited": -1',
        '"counter": -1',
    ],
)
def test_a_status_with_a_number_that_nobody_reaches_is_none(tmp_path, more):
    """A worker writes it; with it, whoever adds or rounds would fail for all runs."""
    (tmp_path / "workers").mkdir()
    given = "" if "counter" in more else '"counter": 1, '
    said = f'{{{given}"doing": "training", {more}}}'
    (tmp_path / "workers/w.status.json").write_text(said)
    assert RunFolder(tmp_path).status("w") is None


def test_keys_are_camel_case_as_in_the_manifest(tmp_path):
    path = tmp_path / "run.json"
    create_once(path, run())

    found = json.loads(path.read_text())

    assert {"searchSpace", "pbt", "data", "population"} <= found.keys()
    assert {"burnInEpochs", "generationEpochs", "minImprovementRatio"} <= found["pbt"].keys()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_null_in_the_file_and_missing_when_read(value, tmp_path):
    path = tmp_path / "outcome.json"

    counts = create_once(path, Outcome(outcome="finished", score=value, result={"last": [value]}))

    assert json.loads(path.read_text(), parse_constant=pytest.fail)["score"] is None
    assert counts.score is None
    assert counts.result == {"last": [None]}


def test_a_record_does_not_change_in_a_programs_hands():
    with pytest.raises(ValidationError, match="frozen"):
        order().epochs = 3  # type: ignore[misc]


FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
WHOLE = st.integers(0, 2**40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        order,
        member=WHOLE,
        generation=st.integers(1, 2**40),
        parent=st.none() | st.tuples(WHOLE, WHOLE),
        copied=st.booleans(),
        hyperparameters=st.dictionaries(TEXT, FINITE, max_size=4),
        start_epoch=WHOLE,
        epochs=st.integers(1, 2**40),
        why=TEXT,
    )
    | st.builds(
        Outcome,
        outcome=st.sampled_from(["finished", "failed", "saved", "abandoned"]),
        reason=st.none() | TEXT,
        score=st.none() | FINITE,
        result=st.dictionaries(TEXT, JSON, max_size=3),
    )
    | st.builds(WorkerStatus, counter=WHOLE, doing=TEXT, epoch=st.none() | st.floats(0, 2**53))
)
def test_whatever_a_record_holds_comes_back(tmp_path, record):
    replace(tmp_path / "record.json", record)

    # Floats too: the controller that reads a hyperparameter goes by the number that was drawn.
    assert read(tmp_path / "record.json", type(record)) == record


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_record_is_read_or_refused_and_nothing_else(tmp_path, place, byte, cut):
    path = tmp_path / "run.json"
    content = bytearray(run().model_dump_json(by_alias=True).encode())
    place %= len(content)
    content[place] = byte
    path.write_bytes(content[:place] if cut else content)

    try:
        found = read(path, Run)
    except StoreError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert not cut
        assert isinstance(found, Run)


def test_a_pipe_that_somebody_holds_open_is_refused_and_not_waited_for(tmp_path):
    path = tmp_path / "order.json"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    try:
        with pytest.raises(StoreError, match="is no plain file"):
            read(path, Order)
    finally:
        os.close(held)


@pytest.mark.parametrize(
    ("record", "key"),
    [(run(population=10**4), "population"), (order(epochs=2**53), "epochs")],
)
def test_a_number_that_would_keep_a_reader_busy_for_ever_is_refused(record, key, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(record.model_dump_json(by_alias=True))
    assert read(path, type(record)) == record
    changed = json.loads(path.read_text()) | {key: getattr(record, key) + 1}
    path.write_text(json.dumps(changed))
    with pytest.raises(StoreError, match=f"{key}: .* less than or equal"):
        read(path, type(record))
