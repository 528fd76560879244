"""A disk that fails for a while, in each call on each kind of file: the run ends as it would.

Training is played here; `test_disks_fail_under_real_runs.py` has real training.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from disk_kinds import FAULTS, FILES, HANGS, Rule, rules_for, unmet
from disk_played import SMALL, DiskPool, in_a_hurry, played_on
from ledger_examples import history
from mounts import Volume

from autolfads_trainer.places import is_temporary

STALLED, HANGING = 0.08, 0.12  # seconds after which a turn is said to hang, and that one does

# One run for the files of a group: each call on each of them fails.
GROUPS = {
    "decisions": ("owner", "run", "order", "task", "outcome", "end"),
    "of workers": ("assignment", "status", "metrics", "checkpoint"),
    "folders": ("folder", "attempt's folder", "results", "results folder"),
}


def rules_of(fault: str, group: str) -> list[Rule]:
    rules = [rule for file in GROUPS[group] for rule in rules_for(fault, file)]
    return [{**rule, "delay": HANGING} for rule in rules] if fault == HANGS else rules


TRIED = [(fault, group) for fault in FAULTS for group in GROUPS if rules_of(fault, group)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    root = tmp_path_factory.mktemp("good") / "p"
    assert played_on(root, DiskPool(root, SMALL)) == []
    return history(root)


def test_each_kind_of_file_is_in_a_group_or_needs_real_training() -> None:
    grouped = {file for group in GROUPS.values() for file in group}
    assert grouped == {name for name, file in FILES.items() if file.played}


@pytest.mark.parametrize(("fault", "group"), TRIED)
def test_a_run_goes_on_when_its_disk_does(
    fault: str, group: str, volume: Volume, here: Path, undisturbed: dict[str, object]
) -> None:
    rules = rules_of(fault, group)
    root = here / "p"
    pool = DiskPool(root, SMALL)
    volume.faults(rules)

    with in_a_hurry(STALLED if fault == HANGS else 60):
        said = played_on(root, pool)

    assert unmet(volume, rules) == []
    volume.clear()
    assert history(root) == undisturbed
    assert [path for path in root.rglob("*") if is_temporary(path.name)] == []
    outcomes = [path.read_text() for path in root.rglob("outcome.json")]
    assert all('"finished"' in outcome for outcome in outcomes), outcomes
    words = FAULTS[fault].words
    told = {trouble for trouble in (*said, *pool.said) if trouble}
    assert told <= {words}, "something else was said"
    assert said.count(None) == len(said) - said.count(None), "each trouble has an end"
