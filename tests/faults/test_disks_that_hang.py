"""A mount that does not answer: who need not wait does not, and what comes back does no harm."""

from __future__ import annotations

from pathlib import Path

from disk_runs import a_run, troubles
from fault_rules import OPS
from house import wait_for
from mounts import mounted

# A close goes through: the kernel closes the lock of a process that ends, and waits for that.
HANG = [{"op": op, "hang": True} for op in sorted(OPS - {"flush"})]
STALLED = {"autolfads_operator.controller.steady.STALLED": 0.5}
SILENT = 15.0  # seconds: more than a healthy worker needs for one step on a busy machine


def test_ctrl_c_ends_a_run_whose_mount_hangs(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (
        mounted(source, tmp_path / "a") as one,
        mounted(source, tmp_path / "b") as other,
        a_run(tmp_path / "run", source / "run", one.path / "run") as run,
    ):
        options = {"worker_roots": [str(other.path / "run")], "constants": STALLED}
        command = run.start(**options)
        run.wait_for_file("members/000/gen-001/attempt-1/task.json", command)
        one.faults(HANG)
        run.wait_until_told("the volume does not answer")
        assert sum(one.hits()) > 0
        code = run.interrupt(command)  # which waits for its end: the mount hangs still
        (said,) = troubles(run.told())
        one.clear()
        came = run.came(run.finish(**options))

    assert code == 130
    assert "what is finished is kept" in said
    assert came.different == []
    assert not any('"failed"' in outcome for outcome in came.lost), came


def test_members_move_from_a_worker_whose_mount_hangs_and_which_then_comes_back(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (
        mounted(source, tmp_path / "a") as good,
        mounted(source, tmp_path / "b") as bad,
        a_run(tmp_path / "run", source / "run", good.path / "run") as run,
    ):
        command = run.start(
            worker_roots=[str(bad.path / "run"), str(good.path / "run")],
            silent_after=SILENT,
            immortal=1,
        )
        run.wait_for_file("members/000/gen-001/attempt-1/task.json", command)
        bad.faults(HANG)
        wait_for(lambda: sum(bad.hits()) > 0, "the worker does not look at its disk")
        given_up = run.wait_for_file("members/*/*/attempt-1/outcome.json", command)
        while '"abandoned"' not in given_up.read_text():
            given_up = run.wait_for_file("members/*/gen-001/attempt-2/../attempt-1/outcome.json")
        assert "gave no sign" in given_up.read_text()
        bad.clear()
        assert run.wait(command) == 0
        came = run.came()

    assert came.different == []
    assert len(came.lost) == 1
    assert troubles(came.said) == []
