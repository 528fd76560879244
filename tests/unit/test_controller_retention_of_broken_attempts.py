"""What attempts leave that did not finish: one save is kept as long as it may be needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_examples import Mini, history, without_syncing
from played_pool import Dies, Fails, Leaves, Play, PlayedPool, controller_for, played
from test_controller_retention import checkpoints


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


@pytest.mark.parametrize(
    ("play", "times"),
    [
        (Leaves(1), 15),
        (Dies(1), 8),
        (Dies(1, said=False), 8),
        (Fails(leaves_file=True), 2),
    ],
    ids=["leaves", "dies", "dies unheard", "fails"],
)
def test_disk_use_is_bounded_whatever_attempts_leave(
    tmp_path: Path, play: Play, times: int
) -> None:
    def plays(_member: int, _generation: int, attempt: int) -> Play:
        return play if attempt <= times else 0.5

    mini = Mini(population=2, generations=5)
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, mini)
    pool = PlayedPool(rough, mini, 2, plays)
    controller = controller_for(rough, pool)
    while not controller.turn():
        # Of two generations and the best with its start; of each member that is at it one more
        # generation, two older saves and the one that it writes.
        assert len(checkpoints(rough)) <= 2 * mini.population + 2 + 4 * mini.population
        pool.step()
    assert len(checkpoints(rough)) <= 2 * mini.population + 2
    assert history(rough) == history(calm)


def test_what_workers_leave_that_come_back_is_removed(tmp_path: Path) -> None:
    """They were given up while they hung in the very call that names a checkpoint."""

    def plays(_member: int, _generation: int, attempt: int) -> Play:
        return Dies(1) if attempt == 1 else 0.5

    mini = Mini(population=2, generations=4)
    pool = PlayedPool(tmp_path, mini, 2, plays)
    controller = controller_for(tmp_path, pool)
    named: list[Path] = []
    left: list[int] = []
    while not controller.turn():
        pool.step()
        for attempt in tmp_path.glob("members/*/gen-*/attempt-1"):
            late = attempt / "checkpoint-2.ckpt"
            finished = (attempt.parent / "attempt-2/outcome.json").exists()
            if finished and late not in named:  # long after it was tidied up
                late.write_text("late")
                named.append(late)
        left.append(sum(path.exists() for path in named))
    assert len(named) == 8
    assert max(left) <= 2 * mini.population
    assert not any(path.exists() for path in named)
