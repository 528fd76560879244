"""A disk that is full for a while: nothing is lost, and it is said once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from disk_runs import DiskRun, a_run, troubles
from house import wait_for
from mounts import NO_SPACE, Volume

from autolfads_trainer.records import Task

# Who does not speak for so many seconds makes the controller see whether the disk can be written.
OPTIONS: dict[str, Any] = {
    "save_every": 0.001,
    "constants": {"autolfads_operator.controller.loop.QUIET": 0.5},
}


def until_saved(run: DiskRun, command: int) -> None:
    """Wait until a worker has told of a save within a generation."""

    def saved() -> bool:
        assert run.code_of(command) is None, run.said()
        statuses = [path.read_text() for path in run.root.glob("workers/*.status.json")]
        return any(json.loads(text)["savedSha256"] for text in statuses if text)

    wait_for(saved, "nobody saves")


def resumed(run: DiskRun) -> list[Task]:
    return [task for task in run.tasks() if task.resume]


def test_a_run_waits_for_room_and_goes_on(volume: Volume, here: Path, tmp_path: Path) -> None:
    source = volume.source / here.name / "run"
    with a_run(tmp_path / "run", source, here / "run") as run:
        command = run.start(**OPTIONS)
        until_saved(run, command)
        volume.faults([NO_SPACE])
        run.wait_until_told("the disk is full")
        before = {path: path.read_bytes() for path in source.rglob("*.ckpt") if path.name[0] != "."}
        said = run.status(here / "run")
        wait_for(lambda: volume.hits()[0] > 10, "nobody tries again")
        kept = [path for path, content in before.items() if path.read_bytes() == content]
        volume.clear()
        assert run.wait(command) == 0
        came = run.came()
        logs = [log.read_text() for log in source.glob("workers/*.log")]

    assert "generation" in said
    assert before
    assert len(kept) == len(before)
    assert came.well, came
    first, last = troubles(came.said)
    assert "waiting" in first
    assert "the disk is full; what is finished is kept" in first
    assert last == "going on: the disk works again"
    assert all(log.count("the disk is full") <= 2 for log in logs)


def test_ctrl_c_while_the_disk_is_full_keeps_what_was_saved(
    volume: Volume, here: Path, tmp_path: Path
) -> None:
    source = volume.source / here.name / "run"
    with a_run(tmp_path / "run", source, here / "run") as run:
        command = run.start(**OPTIONS)
        until_saved(run, command)
        volume.faults([NO_SPACE])
        run.wait_until_told("the disk is full")
        code = run.interrupt(command)
        said = run.told()
        volume.clear()
        came = run.came(run.finish(**OPTIONS))
        gone_on_with = resumed(run)

    assert code == 130
    assert "nothing can be saved now" in said
    assert came.different == []
    assert gone_on_with, "what was saved before was used"
    assert all('"abandoned"' in outcome for outcome in came.lost), came
