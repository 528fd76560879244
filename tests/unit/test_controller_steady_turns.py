"""Turns go on with the disk: one that fails is taken again, one that hangs blocks nobody."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from autolfads_operator.controller import steady
from autolfads_operator.controller.steady import SteadyTurns
from autolfads_trainer.disk_errors import NotVisibleYetError


class Turns:
    """Turns that go as they are told to: an error, a result, or something to wait for."""

    def __init__(self, *ends: object) -> None:
        self.ends: Iterator[object] = iter(ends)

    def __call__(self) -> bool:
        end = next(self.ends)
        if isinstance(end, threading.Event):
            end.wait(60)
            end = False
        if isinstance(end, Exception):
            raise end
        assert isinstance(end, bool)
        return end


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(steady, "LONGEST_WAIT", 0.002)


def stepped(
    turns: Turns,
    until: Callable[[list[bool | None]], bool],
    heard: Callable[[], str | None] = lambda: None,
) -> list[str | None]:
    """Step until the answers are as wanted; return what was said."""
    said: list[str | None] = []
    steady_turns = SteadyTurns(turns, said.append, heard, _wait=0.001)
    answers: list[bool | None] = []
    for _ in range(500):
        answers.append(steady_turns.step(0.02))
        if until(answers):
            return said
    raise AssertionError(f"never: {answers}")


def over(answers: list[bool | None]) -> bool:
    return answers[-1] is True


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the disk has become read-only"),
        (errno.EIO, "the disk reports input/output errors"),
        (errno.ESTALE, "the volume has lost the file (stale handle)"),
        (errno.EDQUOT, "the disk quota is used up"),
    ],
)
def test_a_disk_in_trouble_is_told_once_and_its_end_too(number: int, words: str) -> None:
    turns = Turns(False, *[error(number) for _ in range(9)], False, True)
    assert stepped(turns, over) == [words, None]


def test_another_trouble_is_told_as_well() -> None:
    turns = Turns(error(errno.EIO), error(errno.EIO), error(errno.ENOSPC), False, True)
    said = stepped(turns, over)
    assert said == ["the disk reports input/output errors", "the disk is full", None]


def test_what_no_disk_can_help_is_raised() -> None:
    for raised in (error(errno.EACCES), FileNotFoundError(2, "no"), ValueError("a mistake")):
        with pytest.raises(type(raised)):
            stepped(Turns(raised), over)


def test_names_that_are_seen_late_are_no_news() -> None:
    late = [NotVisibleYetError(errno.ENOENT, "late", "/x") for _ in range(5)]
    assert stepped(Turns(*late, True), over) == []


def test_names_that_are_never_seen_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "LATE", 0.0)
    late = [NotVisibleYetError(errno.ENOENT, "was made, and is not seen yet", "/x")] * 5
    (said, end) = stepped(Turns(*late, True), over)
    assert said is not None
    assert "not seen yet" in said
    assert end is None


def test_a_turn_that_hangs_blocks_nobody_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "STALLED", 0.05)
    hanging = threading.Event()
    said: list[str | None] = []
    turns = SteadyTurns(Turns(hanging, True), said.append)
    answers = [turns.step(0.02) for _ in range(6)]
    assert answers == [None] * 6
    assert said == ["the volume does not answer"]
    assert turns.in_progress
    hanging.set()
    while turns.step(0.02) is not True:
        pass
    assert said == ["the volume does not answer", None]


def test_a_trouble_that_workers_alone_meet_is_said_once() -> None:
    full = "the disk is full"
    heard = iter([None, full, full, None])  # the turn that ends the run asks nobody
    turns = Turns(False, False, False, False, True)
    assert stepped(turns, over, lambda: next(heard)) == [full, None]


def test_a_trouble_that_turn_and_workers_meet_is_said_once() -> None:
    full = "the disk is full"
    turns = Turns(error(errno.ENOSPC), False, error(errno.ENOSPC), True)
    assert stepped(turns, over, lambda: full) == [full, None]


def test_a_worker_that_looks_again_late_is_not_news() -> None:
    full = "the disk is full"
    heard = iter([full, None, full, None, full, None])  # one of them has slept when it was over
    turns = Turns(*[False] * 6, True)
    assert stepped(turns, over, lambda: next(heard)) == [full, None]


def test_two_troubles_that_take_turns_are_said_once_each() -> None:
    full, errors = "the disk is full", "the disk reports input/output errors"
    turns = Turns(*[error(errno.EIO), False] * 3, True)
    assert stepped(turns, over, lambda: full) == [errors, full, None]


def test_the_end_of_a_trouble_is_told_when_it_has_been_over_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steady, "CALM", 0.0)
    full = "the disk is full"
    heard = iter([full, None, full, None])
    turns = Turns(*[False] * 4, True)
    assert stepped(turns, over, lambda: next(heard)) == [full, None, full, None]
