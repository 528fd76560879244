"""A worker that is there and gives no sign of itself does not hold up the run."""

from __future__ import annotations

from pathlib import Path

from ledger_examples import OWNER, Mini, claimed, history
from played_pool import PlayedPool

from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.vitals import SILENT
from autolfads_trainer.records import Outcome
from autolfads_trainer.store import RunFolder


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def ended(root: Path, *, hangs: bool) -> Controller:
    """Run to the end; with `hangs`, the first worker in training gives no sign any more."""
    clock = Clock()
    pool = PlayedPool(root, Mini(), 2, lambda member, generation, _: (3 * member + generation) % 5)
    controller = Controller(claimed(root), OWNER, pool, clock)
    hung = False
    for _ in range(5000):
        if controller.turn():
            break
        busy = [attempt.task for attempt in controller.ledger.open_attempts()]
        if hangs and not hung and busy and busy[0].kind == "train":
            pool.stuck.add(busy[0].worker)
            hung = True
        pool.step()
        clock.now += SILENT / 50
    assert controller.ledger.end is not None
    return controller


def outcomes(controller: Controller) -> list[tuple[str, str | None]]:
    found = controller.folder.root.glob("members/*/*/*/outcome.json")
    records = [Outcome.model_validate_json(path.read_text()) for path in found]
    return [(outcome.outcome, outcome.reason) for outcome in records]


def test_its_members_move_and_the_run_is_the_same(tmp_path: Path) -> None:
    calm, rough = ended(tmp_path / "calm", hangs=False), ended(tmp_path / "rough", hangs=True)
    assert history(tmp_path / "rough") == history(tmp_path / "calm")
    assert ("abandoned", "its worker gave no sign") in outcomes(rough)
    assert {kind for kind, _ in outcomes(calm)} == {"finished"}


def test_a_status_that_a_power_cut_emptied_is_none(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers/w.status.json").write_bytes(b"")
    assert folder.status("w") is None
