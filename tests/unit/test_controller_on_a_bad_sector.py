"""One small file that cannot be read, on a disk that works otherwise: it holds up nobody."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_examples import Mini, WatchedFolder, attempts, claimed, history, without_syncing
from played_pool import MOST_TURNS, Dies, Play, PlayedPool, Ticking, always, played

from autolfads_operator.controller.loop import Controller
from autolfads_trainer.records import WorkerStatus
from autolfads_trainer.store import RunFolder

MINI = Mini(population=3, generations=4)
LEG = RunFolder.leg_folder(1, 2)


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


class BadStatuses(WatchedFolder):
    """A folder in which the statuses of some workers cannot be read."""

    bad: frozenset[str] = frozenset()
    asked = 0

    def status(self, life: str) -> WorkerStatus | None:
        if life in self.bad:
            self.asked += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO), life)
        return super().status(life)


def a_run(root: Path, plays: object = None) -> tuple[Controller, PlayedPool, BadStatuses]:
    claimed(root)
    folder = BadStatuses(root)
    owner = folder.owner()
    assert owner is not None
    pool = PlayedPool(root, MINI, 2, plays or always(0.5))  # type: ignore[arg-type]
    return Controller(folder, owner, pool, Ticking()), pool, folder


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_status_that_cannot_be_read_holds_up_nobody(
    tmp_path: Path, restarted: bool, busy: bool
) -> None:
    """Of a dead worker: of this controller, or of one before it; at work when it died, or idle."""
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, MINI)
    controller, pool, folder = a_run(rough)
    found: set[str] = set()
    while controller.ledger.generation < 2 or not found:
        controller.turn()
        pool.step()
        at_work = {attempt.task.worker for attempt in controller.ledger.open_attempts()}
        found = at_work & set(pool.lives()) if busy else set(pool.lives()) - at_work
    dead = min(found)
    pool.kill(None if restarted else dead)
    if restarted:
        controller, pool, folder = a_run(rough)
    folder.bad = frozenset({dead})
    for _ in range(3 * MOST_TURNS):
        if controller.turn():
            break
        pool.step()
        controller.clock.now += 0.5  # type: ignore[attr-defined]
    assert controller.ledger.end is not None
    assert history(rough) == history(calm)
    assert folder.asked > 0 or not (busy or restarted)


def test_the_last_status_of_a_dead_worker_is_waited_for_since_it_names_a_save(
    tmp_path: Path,
) -> None:
    def dying(member: int, generation: int, attempt: int) -> Play:
        return Dies(1) if (member, generation, attempt) == (1, 2, 1) else 0.5

    controller, pool, folder = a_run(tmp_path, dying)
    while not (tmp_path / LEG / "attempt-1/checkpoint-1.ckpt").exists():
        controller.turn()
        pool.step()
    task = folder.task(f"{LEG}/attempt-1")
    assert task is not None
    folder.bad = frozenset({task.worker})
    for _ in range(100):
        assert not controller.turn()
        pool.step()
    assert folder.outcome(task.folder) is None, "it is waited for"
    assert attempts(tmp_path, 0, 2) == ["finished"], "and nobody else waits"
    folder.bad = frozenset()
    controller.turn()
    outcome = folder.outcome(task.folder)
    assert outcome is not None
    assert outcome.checkpoint == f"{LEG}/attempt-1/checkpoint-1.ckpt"
