"""Real runs by the real command while the disk fails, in each call on each kind of file.

A few kinds of fault; `tests/soak/disks.py` has them all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from disk_kinds import FAULTS, FEW_TIMES, FILES, HANGS, rules_for, unmet
from disk_runs import a_run, troubles
from mounts import Volume

TRIED = ("EIO", "ENOSPC", "hangs and comes back")
STALLED = {"autolfads_operator.controller.steady.STALLED": 0.12}
HANGING = {"delay": 0.2}


@pytest.mark.parametrize("fault", TRIED)
def test_a_run_ends_as_on_a_good_disk(
    fault: str, volume: Volume, here: Path, tmp_path: Path
) -> None:
    rules = [rule for file in FILES for rule in rules_for(fault, file, FEW_TIMES.get(file))]
    if fault == HANGS:
        rules = [rule | HANGING for rule in rules]
    volume.faults(rules)
    source = volume.source / here.name / "run"
    with a_run(tmp_path / "run", source, here / "run") as run:
        came = run.came(run.finish(save_every=0.3, constants=STALLED if fault == HANGS else {}))

    assert unmet(volume, rules) == []
    assert came.well, came
    told = troubles(came.said)
    words = FAULTS[fault].words
    assert all(words is not None and words in line for line in told[::2])
    assert all("the disk works again" in line for line in told[1::2])
