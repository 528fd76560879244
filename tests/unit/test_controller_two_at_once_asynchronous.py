"""Two controllers where nobody waits for the slowest: what one of them exports is the run's end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_examples import Mini, without_syncing
from played_pool import PlayedPool, controller_for, to_the_end
from replay_examples import told

from autolfads_operator.controller.loop import Controller
from autolfads_trainer.records import Order
from autolfads_trainer.store import RunFolder

LATE = (0, 3)  # the order before which a controller sleeps
SLOW = RunFolder.leg_folder(1, 2)  # whose end lets the other one see that the run is to stop


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def plays(member: int, generation: int, _attempt: int) -> float:
    return {1: 0.5, 2: 0.49, 3: 0.1}[generation] + 0.001 * member


class Sleeps(RunFolder):
    """A folder before one of whose orders its controller sleeps while `meanwhile` happens."""

    other: Controller | None = None

    def __init__(self, root: Path, ours: PlayedPool, theirs: PlayedPool) -> None:
        super().__init__(root)
        self.ours, self.theirs = ours, theirs

    def give_order(self, order: Order) -> Order:
        if (order.member, order.generation) == LATE and self.other is None:
            self.ours.stuck.clear()
            while not (self.root / SLOW / "attempt-1/outcome.json").exists():
                self.ours.step()
            self.other = controller_for(self.root, self.theirs, RunFolder(self.root))
            while not self.other.ledger.export:
                self.other.turn()
                self.theirs.step()
        return super().give_order(order)


def test_the_end_tells_of_what_was_exported_though_a_late_member_was_better(
    tmp_path: Path,
) -> None:
    mini = Mini(2, 9, patience=1, min_improvement_ratio=10.0, mode="asynchronous")
    ours, theirs = PlayedPool(tmp_path, mini, 2, plays), PlayedPool(tmp_path, mini, 2, plays)
    folder = Sleeps(tmp_path, ours, theirs)
    controller = controller_for(tmp_path, ours, folder)
    late = tmp_path / RunFolder.leg_folder(*LATE) / "attempt-1/outcome.json"
    for _ in range(500):
        if controller.ledger.newest.get(1) == 2 and folder.other is None:
            attempts = controller.ledger.open_attempts()
            ours.stuck = {a.task.worker for a in attempts if a.task.folder.startswith(SLOW)}
        over = controller.turn()
        ours.step()
        if late.exists():  # whoever exports is slower than the late member
            theirs.step()
        if over:
            break
    assert folder.other is not None
    end = to_the_end(folder.other, theirs)
    assert json.loads(late.read_text())["score"] == 0.1
    exported = json.loads((tmp_path / "results/best.json").read_text())["best"]
    assert (exported, end.best, end.score) == ([0, 2], (0, 2), 0.49)
    assert told(tmp_path) == []
