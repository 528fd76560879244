"""`autolfads run` tries the volume first, and refuses what cannot keep a run safe."""

from __future__ import annotations

from pathlib import Path

import pytest
from disk_runs import a_run
from mounts import Volume, need_callers
from run_directory_examples import listing


@pytest.mark.parametrize(
    ("rule", "need"),
    [
        ({"op": "link", "errno": "EPERM"}, "hard link"),
        ({"op": "rename", "copies": True}, "rename"),
        ({"op": "fsync", "errno": "EINVAL"}, "write and fsync"),
        ({"op": "fsyncdir", "errno": "EINVAL"}, "fsync of a folder"),
        ({"op": "link", "overwrites": True}, "exclusive creation"),
        ({"op": "create", "overwrites": True}, "exclusive creation"),
        ({"op": "write", "loses": True}, "write and fsync"),
    ],
    ids=["link", "rename", "fsync", "fsync folder", "link overwrites", "O_EXCL ignored", "loses"],
)
def test_a_volume_that_lacks_something_is_refused_and_left_as_it_was(
    rule: dict[str, object], need: str, volume: Volume, here: Path, tmp_path: Path
) -> None:
    if "overwrites" in rule:
        need_callers()
    volume.faults([rule])
    with a_run(tmp_path / "run", volume.source / here.name / "run", here / "run") as run:
        code = run.wait(run.start())
        met, said = volume.hits()[0], run.told()

    assert met > 0
    assert code == 1
    assert f"this volume cannot do what a run needs: {need} " in said
    assert listing(here) == []


def test_a_run_that_was_moved_to_a_volume_that_lacks_something_is_refused(
    volume: Volume, here: Path, tmp_path: Path
) -> None:
    with a_run(tmp_path / "run", volume.source / here.name / "run", here / "run") as run:
        command = run.start()
        run.wait_for_file("run.json", command)
        assert run.interrupt(command) == 130
        before = {name: (run.root / name).read_bytes() for name in ("owner.json", "run.json")}
        volume.faults([{"op": "link", "errno": "EPERM"}])
        code = run.wait(run.start())
        told = run.told()
        volume.clear()
        assert run.finish() == 1
        came = run.came()

    assert code == 1
    assert "this volume cannot do what a run needs: hard link " in told
    assert before == {name: (run.root / name).read_bytes() for name in before}
    assert came.different == []
