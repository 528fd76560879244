"""`spec.workers.membersAtOnce`: one process trains several members, and all else is as ever."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from real_runs import SLOW, Make, RunOnDisk
from test_nothing_is_lost import wait_for, workers_in

AT_ONCE = {"workers": {"membersAtOnce": 4}}


def scores(run: RunOnDisk) -> dict[str, float]:
    """Return the scores of the first generation, by member."""
    found = run.root.glob("members/*/gen-001/attempt-*/outcome.json")
    ended = {path.parts[-4]: json.loads(path.read_text()) for path in found}
    return {member: one["score"] for member, one in ended.items() if one["outcome"] == "finished"}


def best(run: RunOnDisk) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((run.root / "results/summary.json").read_text())
    return summary


def at_work(run: RunOnDisk) -> set[str]:
    """Return the workers of the tasks that are open."""
    tasks = [path.parent for path in run.root.glob("members/*/gen-*/attempt-*/task.json")]
    return {
        json.loads((folder / "task.json").read_text())["worker"]
        for folder in tasks
        if not (folder / "outcome.json").exists()
    }


def test_one_process_trains_all_members_to_the_same_scores(
    make_run: Make, finished: RunOnDisk
) -> None:
    run = make_run(**AT_ONCE)
    process = run.start("--workers", "1")
    wait_for(lambda: len(at_work(run)) == 4)
    assert len({life.split("-lane")[0] for life in at_work(run)}) == 1
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    assert scores(run) == pytest.approx(scores(finished), rel=1e-3)
    assert best(run)["score"] == pytest.approx(best(finished)["score"], rel=0.05)
    assert (run.root / "results/autolfads.zip").exists()
    assert all(outcome["outcome"] == "finished" for outcome in run.outcomes())


def test_a_process_with_all_members_that_is_killed_costs_a_few_seconds(
    make_run: Make, finished_slow: RunOnDisk
) -> None:
    run = make_run(pbt=SLOW, **AT_ONCE)
    process = run.start("--workers", "1", "--save-every", "0.3")
    wait_for(lambda: "gen-002" in str(tasks_with_saves(run)))
    (worker,) = workers_in(run.root)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: "gen-003" in str(tasks_with_saves(run)))
    process.send_signal(signal.SIGINT)  # all save and leave
    process.communicate(timeout=120)
    outcomes = [outcome["outcome"] for outcome in run.outcomes()]
    assert outcomes.count("abandoned") == 4
    assert outcomes.count("saved") == 4
    run.finish("--workers", "1")
    assert scores(run) == pytest.approx(scores(finished_slow), rel=1e-3)
    assert {outcome["outcome"] for outcome in run.outcomes()} >= {"finished"}
    summary = best(run)
    assert summary["score"] == pytest.approx(best(finished_slow)["score"], rel=0.05)


def tasks_with_saves(run: RunOnDisk) -> list[str]:
    """Return the attempts that are open and have saved something."""
    found = run.root.glob("members/*/gen-*/attempt-*/metrics.csv")
    return [
        str(path.parent.relative_to(run.root))
        for path in found
        if not (path.parent / "outcome.json").exists()
    ]
