"""A worker waits for its disk, says why once, and can be told to leave meanwhile."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from autolfads_trainer.disk_errors import NotVisibleYetError
from autolfads_trainer.patience import LONGEST_WAIT, SEEN_WITHIN, Patience


class ToldToLeaveError(Exception):
    """Stop waiting."""


@dataclass
class Waiting:
    """A patience with a clock of its own; `leave_at` is when it is told to leave."""

    leave_at: float = 1e9
    now: float = 0.0
    said: list[str | None] = field(default_factory=list)

    def patience(self) -> Patience:
        return Patience(self.said.append, self._stop, self._sleep, lambda: self.now)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _stop(self) -> None:
        if self.now >= self.leave_at:
            raise ToldToLeaveError


def failing(*numbers: int, then: object = "done") -> Callable[[], object]:
    left: Iterable[int] = iter(numbers)

    def call() -> object:
        for number in left:
            raise OSError(number, os.strerror(number))
        return then

    return call


def test_it_calls_until_the_disk_works_and_tells_each_trouble_once() -> None:
    waiting = Waiting()
    troubles = [errno.ENOSPC] * 7 + [errno.EROFS] * 3
    assert waiting.patience()(failing(*troubles)) == "done"
    assert waiting.said == ["the disk is full", "the disk has become read-only", None]
    assert 10 < waiting.now < 10 * LONGEST_WAIT


def test_nothing_is_said_of_a_disk_that_works() -> None:
    waiting = Waiting()
    assert waiting.patience()(failing()) == "done"
    assert (waiting.said, waiting.now) == ([], 0.0)


def test_it_waits_for_hours_if_need_be_and_looks_every_five_seconds() -> None:
    waiting = Waiting()
    calls = []

    def call() -> str:
        calls.append(waiting.now)
        if waiting.now < 7200:
            raise OSError(errno.EIO, "no")
        return "done"

    assert waiting.patience()(call) == "done"
    assert waiting.now < 7200 + 2 * LONGEST_WAIT
    assert max(b - a for a, b in pairwise(calls)) < LONGEST_WAIT + 0.2


def test_it_can_be_told_to_leave_while_it_waits() -> None:
    waiting = Waiting(leave_at=3.0)
    with pytest.raises(ToldToLeaveError):
        waiting.patience()(failing(*[errno.ENOSPC] * 1000))
    assert waiting.now < 3.2


def test_other_errors_are_raised_at_once() -> None:
    for number in (errno.EACCES, errno.ENOENT, errno.EISDIR):
        with pytest.raises(OSError, match=os.strerror(number)):
            Waiting().patience()(failing(number))
    with pytest.raises(ValueError, match="mine"):
        Waiting().patience()(lambda: (_ for _ in ()).throw(ValueError("mine")))


def test_a_name_that_was_announced_is_waited_for() -> None:
    waiting = Waiting()
    missing = [errno.ENOENT] * 6
    assert waiting.patience().announced(failing(*missing)) == "done"
    assert waiting.said == []

    answers = iter([None, None, "a record"])
    assert Waiting().patience().announced(lambda: next(answers)) == "a record"


def test_a_name_that_never_appears_is_given_up_after_a_minute_and_a_half() -> None:
    waiting = Waiting()
    assert waiting.patience().announced(lambda: None) is None
    assert SEEN_WITHIN <= waiting.now < SEEN_WITHIN + 2


def test_what_another_made_and_is_not_seen_yet_is_waited_for() -> None:
    waiting = Waiting()
    errors = iter([NotVisibleYetError(errno.ENOENT, "late", "/x")] * 3)

    def call() -> str:
        for error in errors:
            raise error
        return "done"

    assert waiting.patience()(call) == "done"


def test_a_name_is_waited_for_a_minute_and_a_half_in_which_the_disk_works() -> None:
    waiting = Waiting()

    def call() -> str | None:
        if waiting.now < 10 * SEEN_WITHIN:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return "a record" if waiting.now > 10 * SEEN_WITHIN + 60 else None

    assert waiting.patience().announced(call) == "a record"
