"""A process dies at every single call that changes the disk: the run goes on to the same history.

Here controllers and workers take turns in one process, and training is played, so that all of the
calls of a whole run can be tried. One in twelve of them is, others at each time; with EVERY=1 in
the environment all of them are, as in `make soak`.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import points
import pytest
from breaking_folder import Killed
from ledger_examples import Mini, claimed, history, orders
from played_pool import Dies, Leaves, Play, PlayedPool, controller_for, played, to_the_end
from replay_examples import told

MINI = Mini(population=2, generations=2, seed=3)
ASYNCHRONOUS = replace(MINI, generations=3, mode="asynchronous")


def fate(member: int, generation: int, attempt: int) -> Play:
    """Tell of members that die, leave, tie, and beat each other."""
    if (member, generation, attempt) == (1, 2, 1):
        return Dies(1)
    if (member, generation, attempt) == (0, 2, 1):
        return Leaves(1)
    return [0.5, 0.25, 0.5][(member + generation) % 3]


class Mortality:
    """Who does something now, how many calls of its role there were, and at which one it dies.

    Of the dead all further calls are refused, those of `finally` clauses and other threads too.
    """

    def __init__(self, role: str | None, at: int) -> None:
        self.role, self.at = role, at
        self.acting = "controller"
        self.dead: str | None = None
        self.reached: list[tuple[str, str, str]] = []
        self.struck = False

    def __call__(self, call: str, kind: str, moment: str) -> None:
        if self.acting == self.dead:
            raise Killed
        role = self.acting if self.acting == "controller" else "worker"
        if role != self.role:
            return
        self.reached.append((call, kind, moment))
        if len(self.reached) == self.at:
            self.dead, self.struck = self.acting, True
            raise Killed


class MortalPool(PlayedPool):
    """Workers that may die in the midst of a call."""

    mortality: Mortality

    def step(self) -> None:
        for life, worker in list(self.workers.items()):
            self.mortality.acting = life
            try:
                next(worker)
            except (StopIteration, Killed):
                del self.workers[life]
            finally:
                self.mortality.acting = "controller"


@contextmanager
def patched(root: Path, mortality: Mortality) -> Iterator[None]:
    """Watch all calls below `root`; syncing costs nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(points._REAL, "fsync", lambda _handle: None)
        for owner, name, replacement in points.patches(root, mortality):
            patch.setattr(owner, name, replacement)
        yield


def disturbed(root: Path, role: str | None = None, at: int = 0, mini: Mini = MINI) -> Mortality:
    """Play a run in which a `role` dies at its `at`-th moment, and start it again."""
    mortality = Mortality(role, at)
    pool = MortalPool(root, mini, 2, fate)
    pool.mortality = mortality
    with patched(root, mortality):
        try:
            claimed(root, mini.mode)
            to_the_end(controller_for(root, pool), pool)
        except Killed:
            pool.kill()
            mortality.role = mortality.dead = None
            to_the_end(controller_for(root, pool), pool)
    return mortality


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: hundreds of runs are written."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The history of a run that nothing disturbs."""
    root = tmp_path_factory.mktemp("calm") / "run"
    played(root, MINI, fate)
    return history(root)


def deaths(place: Path, role: str, mini: Mini) -> Iterator[tuple[Path, str]]:
    """Yield the folder of a run for each call at which the `role` can die, and where it did."""
    stride = 1 if os.environ.get("EVERY") else 12
    for at in itertools.count(random.randint(1, stride), stride):
        root = place / str(at)
        mortality = disturbed(root, role, at, mini)
        if not mortality.struck:  # there are no more calls than that
            assert at > 200
            assert {moment for _, _, moment in mortality.reached} == {"before", "half", "after"}
            return
        yield root, f"{role} died at {mortality.reached[at - 1]}, call {at}"


@pytest.mark.parametrize("role", ["controller", "worker"])
def test_death_at_any_call_changes_nothing(
    role: str, place: Path, expected: dict[str, str]
) -> None:
    for root, words in deaths(place, role, MINI):
        assert history(root) == expected, words
        assert told(root) == [], words


@pytest.mark.parametrize("role", ["controller", "worker"])
def test_every_order_is_right_where_nobody_waits_for_the_slowest(role: str, place: Path) -> None:
    for root, words in deaths(place, role, ASYNCHRONOUS):
        assert told(root) == [], words
        assert json.loads((root / "end.json").read_text())["state"] == "succeeded", words
        assert len(orders(root)) == ASYNCHRONOUS.population * ASYNCHRONOUS.generations, words
