"""One file that the disk does not give out any more: it is made again, and the run goes on."""

from __future__ import annotations

from pathlib import Path

from disk_runs import a_run
from mounts import Volume

SOON = {"autolfads_trainer.tasks.bad_sector.UNREADABLE": 0.5}


def test_a_checkpoint_on_a_bad_sector_is_made_again(
    volume: Volume, here: Path, tmp_path: Path
) -> None:
    bad = "members/001/gen-001/attempt-1/checkpoint-1.ckpt"
    volume.faults([{"op": "read", "path": f"*/{bad}", "errno": "EIO"}])
    source = volume.source / here.name / "run"
    with a_run(tmp_path / "run", source, here / "run") as run:
        came = run.came(run.finish(constants=SOON))
        damaged = [outcome for outcome in run.outcomes() if outcome.damaged]
        again = [outcome for _, outcome in run.attempts(1, 1) if outcome]
        wrong = run.findings()

    assert volume.hits()[0] > 0
    assert came.different == []
    assert {outcome.damaged for outcome in damaged} == {bad}
    reasons = [outcome.reason or "" for outcome in damaged]
    # Whoever comes later may find that it was removed, to be made again.
    assert any("cannot be read for" in reason for reason in reasons), reasons
    assert [outcome.outcome for outcome in again] == ["finished", "finished"]
    assert len({outcome.sha256 for outcome in again}) == 1, "to the last bit"
    assert wrong == []


def test_metrics_on_a_bad_sector_cost_their_lines_in_the_fit_log(
    volume: Volume, here: Path, tmp_path: Path
) -> None:
    bad = "members/001/gen-001/attempt-1/metrics.csv"
    volume.faults([{"op": "read", "path": f"*/{bad}", "errno": "EIO"}])
    source = volume.source / here.name / "run"
    with a_run(tmp_path / "run", source, here / "run") as run:
        came = run.came(run.finish(constants=SOON))
        note = run.folder.outcome("export/attempt-1")

    assert volume.hits()[0] > 0
    assert came.different == ["results/fitlog.csv"]
    assert came.lost == []
    assert note is not None
    assert "metrics are lost but for their last epoch" in (note.reason or "")
    assert f"{bad}: cannot be read for" in (note.reason or "")
