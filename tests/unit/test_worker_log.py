"""What a worker prints and writes of an error has a bound, whatever the error says."""

from __future__ import annotations

import pytest

from autolfads_trainer.records import Outcome
from autolfads_trainer.worker.log import MOST, MOST_OF_A_REASON, WorkerLog, shortened


def test_a_log_has_a_bound_and_says_that_it_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    log = WorkerLog()
    for number in range(100_000):
        log.line(f"waiting: {number}: the disk is full")
    said = capsys.readouterr().err
    assert len(said) <= MOST + 100
    assert said.startswith("waiting: 0: ")
    assert said.endswith("\nthe log is full: nothing more is said here\n")


def test_the_end_of_an_endless_traceback_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    log = WorkerLog()
    try:
        raise ValueError("a" * 3_000_000 + " and what it means")
    except ValueError:
        log.exception()
    said = capsys.readouterr().err
    assert len(said) < 30_000
    assert said.endswith(" and what it means\n")


def test_a_traceback_is_said_whole(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        WorkerLog().exception()
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last):\n")
    assert said.endswith("ValueError: why\n")


def test_a_reason_is_kept_whole_unless_it_is_endless() -> None:
    assert shortened("no such file") == "no such file"
    assert shortened("a" * (MOST_OF_A_REASON - 2)) == "a" * (MOST_OF_A_REASON - 2)


@pytest.mark.parametrize("filling", ["a", "ä", "\x01", "𝛌"])
def test_an_endless_reason_is_cut_in_its_midst(filling: str) -> None:
    long = shortened("first" + filling * 1_000_000 + "last")
    assert long.startswith("first")
    assert long.endswith("last")
    outcome = Outcome(outcome="failed", reason=long)
    assert MOST_OF_A_REASON / 4 < len(outcome.model_dump_json()) < 4096
