"""Pods that end as they start are given up, also where their Job went with them."""

from __future__ import annotations

from typing import Any

from cluster_examples import ended, pod_body

from autolfads_operator.cluster.deaths import MAX_BAD_STARTS, Deaths
from autolfads_operator.cluster.pod_facts import PodFacts, facts_of

ENOUGH = MAX_BAD_STARTS["worker"]
BEGUN = {"job": "2026-11-01T11:00:00Z"}


def failed(count: int, role: str = "worker", code: int = 1, **more: Any) -> list[dict[str, Any]]:
    return [
        pod_body(f"f{i}", phase="Failed", state=ended(code, minute=i, **more), role=role)
        for i in range(count)
    ]


def last(pods: list[dict[str, Any]], role: str = "worker", **begun: str) -> PodFacts | None:
    return Deaths().last(role, facts_of(pods), begun or BEGUN)


def test_workers_that_all_die_as_they_start_are_told_by_the_last() -> None:
    found = last(failed(ENOUGH, message="Traceback\nImportError: no torch\n"))
    assert found is not None
    assert found.name == f"f{ENOUGH - 1}"
    assert found.last_words.endswith("ImportError: no torch")


def test_a_few_deaths_are_not_all() -> None:
    assert last(failed(ENOUGH - 1)) is None


def test_while_one_runs_nothing_is_given_up() -> None:
    assert last([*failed(ENOUGH), pod_body("runs")]) is None


def test_one_that_worked_since_counts() -> None:
    worked = pod_body("z", phase="Failed", state=ended(1, lived=50, minute=30))
    assert last([*failed(ENOUGH), worked]) is None


def test_the_one_pod_that_prepares_is_given_up_sooner() -> None:
    few = failed(MAX_BAD_STARTS["prepare"], role="prepare")
    assert last(few, "prepare") is not None
    assert last(few) is None


def test_those_from_before_a_suspension_do_not_count() -> None:
    assert last(failed(ENOUGH), job="2026-11-01T12:30:00Z") is None
    assert last(failed(ENOUGH), another="2026-11-01T11:00:00Z") is None


def test_those_whose_job_was_made_anew_count() -> None:
    """A pod that ends with 0 completes its Job, which goes and takes the pod along."""
    deaths = Deaths()
    found = [deaths.last("prepare", facts_of([pod]), BEGUN) for pod in failed(3, "prepare", code=0)]
    assert found[:2] == [None, None]
    assert found[2] is not None
    assert found[2].exit_code == 0


def test_who_is_cleared_away_after_its_death_has_died_all_the_same() -> None:
    deaths = Deaths()
    for pod in failed(2, "prepare"):
        assert deaths.last("prepare", facts_of([pod]), BEGUN) is None
        pod["metadata"]["deletionTimestamp"] = "2026-11-01T12:10:00Z"
        assert deaths.last("prepare", facts_of([pod]), BEGUN) is None
    third = failed(3, "prepare")[2]
    assert deaths.last("prepare", facts_of([third]), BEGUN) is not None


def test_each_death_is_told_until_one_runs() -> None:
    deaths = Deaths()
    assert deaths.so_far() is None
    pods = facts_of(failed(2, message="ImportError: no torch"))
    deaths.last("worker", pods, BEGUN)
    said = deaths.so_far()
    assert said is not None
    assert said.reason == "PodDied"
    assert said.message == (
        "pod f1 ended as it started (exit code 1): ImportError: no torch; 2 of the 5 in a row "
        "after which the run waits for you"
    )
    deaths.last("worker", (*pods, *facts_of([pod_body("runs")])), BEGUN)
    assert deaths.so_far() is None


def test_one_that_has_worked_is_no_such_death() -> None:
    deaths = Deaths()
    worked = pod_body("z", phase="Failed", state=ended(1, lived=50, minute=30))
    deaths.last("worker", facts_of([*failed(2), worked]), BEGUN)
    assert deaths.so_far() is None


def test_after_a_change_counting_begins_anew() -> None:
    deaths, pods = Deaths(), [facts_of([pod]) for pod in failed(ENOUGH)]
    for pod in pods[:-1]:
        deaths.last("worker", pod, BEGUN)
    deaths.forget()
    assert deaths.last("worker", pods[-1], BEGUN) is None
