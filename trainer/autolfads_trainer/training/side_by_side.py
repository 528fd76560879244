"""Members of several threads, trained side by side in one of them.

A thread for each member does what its task asks for: it loads, saves, tells, and waits for a disk.
Only the steps are taken together, by whichever of the threads finds that nobody takes them yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from autolfads_trainer.short_memory import free_memory, is_out_of_memory
from autolfads_trainer.training.group import Group, kind_of
from autolfads_trainer.training.member import Member
from autolfads_trainer.userinput import InputError

GRACE = 0.5  # seconds that a group which begins waits for as many members as the one before had
FIRST_GRACE = 2.0  # the same, of the first: lanes look for their first task more slowly
LATE = 30.0  # seconds that it waits for those that are on their way: a disk can hold them up
LOOK_EVERY = 0.5  # seconds between a waiting thread's signs of life


@dataclass(eq=False)
class _Trainee:
    """A member in training, or waiting for it."""

    member: Member
    after_step: Callable[[Member], bool]
    waits: Callable[[], bool]
    since: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)  # of `training`
    kind: tuple[Any, ...] = field(init=False)
    training: bool = False  # whether another thread speaks for it
    at_end: bool | None = None
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.kind = kind_of(self.member)

    @property
    def done(self) -> bool:
        return self.at_end is not None or self.error is not None


class SideBySide:
    """Trains at most `most` members at once. `say` gets a line where memory is short."""

    def __init__(self, most: int, say: Callable[[str], None]) -> None:
        self.most = most
        self._say = say
        self._changed = threading.Condition()
        self._coming: set[int] = set()  # threads
        self._waiting: list[_Trainee] = []
        self._training: list[_Trainee] = []  # of whoever leads
        self._led = False
        self._expected = most
        self._group: Group | None = None

    # For the members' threads.
    @contextmanager
    def coming(self) -> Iterator[None]:
        """Have the others wait for this thread, until it trains a member or has none to train."""
        with self._changed:
            self._coming.add(threading.get_ident())
        try:
            yield
        finally:
            self._has_come()

    def _has_come(self) -> None:
        with self._changed:
            self._coming.discard(threading.get_ident())
            self._changed.notify_all()

    def train(
        self, member: Member, after_step: Callable[[Member], bool], waits: Callable[[], bool]
    ) -> bool:
        """Do what `Member.train` does, in the company of others.

        `after_step` may be called by another of the threads. While the member waits for a place,
        its own calls `waits` now and then, which says whether to give up: then it is not at the
        end. Raises what `after_step` raises, or `InputError` where there is no memory for it.
        """
        if member.over:
            return True
        trainee = _Trainee(member, after_step, waits)
        with self._changed:
            self._waiting.append(trainee)
        self._has_come()
        while not trainee.done:
            if self._may_lead():
                try:
                    self._lead(trainee)
                finally:
                    self._lead_no_more()
            elif not self._waits(trainee):
                with self._changed:
                    if not trainee.done:
                        self._changed.wait(LOOK_EVERY)
        if trainee.error is not None:
            raise trainee.error
        assert trainee.at_end is not None  # noqa: S101
        return trainee.at_end

    def rest(self) -> None:
        """Give back the memory of a group in which nobody trains: what comes next may need it."""
        if not self._may_lead():
            return
        try:
            if not self._training and self._group is not None:
                device = self._group.first.device
                self._group = None
                free_memory(device)
        finally:
            self._lead_no_more()

    def _may_lead(self) -> bool:
        with self._changed:
            may = not self._led
            self._led = True
            return may

    def _lead_no_more(self) -> None:
        with self._changed:
            self._led = False
            self._changed.notify_all()

    def _waits(self, trainee: _Trainee) -> bool:
        """Have one that waits show life; return whether it has given up."""
        with trainee.lock:
            if trainee.training or trainee.done or not trainee.waits():
                return False
            with self._changed:
                self._waiting.remove(trainee)
            trainee.at_end = False
            return True

    # For the one that leads.
    def _lead(self, own: _Trainee) -> None:
        """Take steps until `own` is done; then another leads."""
        while not own.done:
            try:
                self._step(own)
            except Exception as error:
                self._break_up(error)
                if not own.done:  # it was to be taken in
                    self._takes(own)
                    self._end(own, error=error)

    def _step(self, own: _Trainee) -> None:
        if self._waiting and not self._admit(own):
            return
        assert self._group is not None  # noqa: S101
        self._group.step()
        for trainee in list(self._training):
            self._look_at(trainee)
        if not own.training:  # there is no room for it yet
            self._waits(own)

    def _look_at(self, trainee: _Trainee) -> None:
        """Let one go that is at its end, or wants to stop."""
        try:
            at_end = trainee.member.over
            if not at_end and not trainee.after_step(trainee.member):
                return
        except BaseException as error:
            self._let_go(trainee)
            self._end(trainee, error=error)
        else:
            self._let_go(trainee)
            self._end(trainee, at_end=at_end)

    def _let_go(self, trainee: _Trainee) -> None:
        assert self._group is not None  # noqa: S101
        self._group.release(trainee.member)
        self._training.remove(trainee)

    def _end(
        self, trainee: _Trainee, *, at_end: bool | None = None, error: BaseException | None = None
    ) -> None:
        with trainee.lock:
            trainee.training, trainee.at_end, trainee.error = False, at_end, error
        with self._changed:
            self._changed.notify_all()

    def _break_up(self, error: BaseException) -> None:
        """End all that are in training: they have no state that can be gone on with."""
        self._group = None
        for trainee in list(self._training):
            self._training.remove(trainee)
            self._end(trainee, error=error)

    # Who trains.
    def _admit(self, own: _Trainee) -> bool:
        """Take in those that wait, as far as there is room; return whether anybody trains now."""
        room = self.most - len(self._training)
        if room > 0 and self._are_together(own):
            with self._changed:
                waiting = list(self._waiting)
            if waiting:
                kind = (self._training or waiting)[0].kind
                alike = [one for one in waiting if one.kind == kind]
                come = [one for one in alike[:room] if self._takes(one)]
                if come:
                    self._seat(come)
        return bool(self._training)

    def _are_together(self, own: _Trainee) -> bool:
        """Return whether those that are on their way are there, or were waited for long enough."""
        with self._changed:
            if not self._waiting:
                return True
            waited = time.monotonic() - min(one.since for one in self._waiting)
            late = waited > LATE
            on_the_way = bool(self._coming) and not late
            grace = FIRST_GRACE if self._group is None else GRACE
            few = len(self._waiting) < self._expected and waited < grace
            if self._training:  # they go on meanwhile
                return not on_the_way
            if not on_the_way and not few:
                return True
            self._changed.wait(min(LOOK_EVERY, GRACE / 10))
        self._waits(own)
        return False

    def _takes(self, trainee: _Trainee) -> bool:
        """Take one from those that wait, unless it has given up."""
        with trainee.lock, self._changed:
            if trainee not in self._waiting:
                return False
            self._waiting.remove(trainee)
            trainee.training = True
            return True

    def _seat(self, come: list[_Trainee]) -> None:
        """Give members places: empty ones of the group, or those of a new one."""
        before, group = self._training, self._group
        # From here on they have no other to speak for them: an error is theirs, too.
        self._training = together = [*before, *come]
        if group is not None and group.kind == come[0].kind:
            # A GPU does not mind a few empty places; a new group costs as much as many steps.
            few = 2 * len(together) < len(group.members) and not before
            if len(group.empty_places) >= len(come) and not few:
                for place, trainee in zip(group.empty_places, come, strict=False):
                    group.hold(place, trainee.member)
                self._expected = len(together)
                return
        if group is not None:
            for trainee in before:
                group.release(trainee.member)
        group = self._group = None  # its memory is needed
        self._form(together)

    def _form(self, trainees: list[_Trainee]) -> None:
        """Make a group of as many as memory holds; the others wait again."""
        first = trainees[0].member
        while self._group is None:
            places = min(self.most, len(trainees))
            try:
                self._group = Group(first, places)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                error.__traceback__ = None  # it holds what was in that memory
                free_memory(first.device)
                if places == 1:
                    self._refuse(trainees, error)
                    return
                self.most = places // 2
                self._say(f"memory does not hold {places} members at once: {self.most} at a time")
        self._training = trainees[: self.most]
        for place, trainee in enumerate(self._training):
            self._group.hold(place, trainee.member)
        self._expected = len(self._training)
        self._wait_again(trainees[self.most :])

    def _wait_again(self, trainees: list[_Trainee]) -> None:
        for trainee in trainees:
            with trainee.lock, self._changed:
                trainee.training = False
                self._waiting.append(trainee)

    def _refuse(self, trainees: list[_Trainee], short: Exception) -> None:
        first, *others = trainees
        self._training = []
        error = InputError(
            f"there is not enough memory on {first.member.device} for a single member; "
            "expected a smaller datamodule.batch_size or model, a larger share of the GPU, or "
            f"one with more memory ({str(short).splitlines()[0]})"
        )
        self._end(first, error=error)
        self._wait_again(others)
