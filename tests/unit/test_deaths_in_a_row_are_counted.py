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


def test_while_one_works_nothing_is_given_up() -> None:
    pods = facts_of([*failed(ENOUGH), pod_body("runs")])
    assert Deaths().last("worker", pods, BEGUN, {"uid-of-runs"}) is None
    assert Deaths().last("worker", pods, BEGUN) is not None  # it runs, and says nothing


def test_one_that_worked_since_counts() -> None:
    worked = pod_body("z", phase="Failed", state=ended(1, lived=50, minute=30))
    assert last([*failed(ENOUGH), worked]) is None


def test_however_long_they_live_who_never_shows_life_has_not_worked() -> None:
    """A driver that is too old is told after half a minute of imports."""
    deaths = Deaths()
    runs = [pod_body(f"f{i}") for i in range(ENOUGH)]
    assert deaths.last("worker", facts_of(runs), BEGUN) is None
    assert deaths.last("worker", facts_of(failed(ENOUGH, lived=40)), BEGUN) is not None


def test_who_has_shown_life_was_killed_and_has_not_died_as_it_started() -> None:
    """A kubelet that comes back refuses pods, however young and well they are."""
    deaths = Deaths()
    runs = facts_of([pod_body(f"f{i}") for i in range(ENOUGH)])
    deaths.last("worker", runs, BEGUN, {pod.uid for pod in runs})
    assert deaths.last("worker", facts_of(failed(ENOUGH, code=137)), BEGUN) is None


def refused(count: int, minutes: int) -> list[dict[str, Any]]:
    return [
        pod_body(
            f"r{i}",
            phase="Failed",
            state={},
            creationTimestamp=f"2026-11-01T13:{i * minutes:02d}:00Z",
        )
        for i in range(count)
    ]


def test_a_node_that_comes_up_may_refuse_all_pods_for_a_while() -> None:
    assert last(refused(ENOUGH, minutes=0)) is None
    assert last(refused(ENOUGH, minutes=2)) is not None


def test_refused_pods_have_no_end_and_stand_where_they_were_made() -> None:
    left = [
        pod_body(f"l{i}", phase="Failed", state=ended(143, lived=90, minute=i)) for i in range(5)
    ]
    assert last([*left, *refused(ENOUGH, minutes=2)]) is not None


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


def test_each_death_is_told_until_its_successor_works() -> None:
    deaths = Deaths()
    assert deaths.so_far(()) is None
    pods = facts_of(failed(2, message="ImportError: no torch"))
    deaths.last("worker", pods, BEGUN)
    said = deaths.so_far(pods)
    assert said is not None
    assert said.reason == "PodDied"
    assert said.message == (
        "pod f1 ended (exit code 1): ImportError: no torch; 2 of the 5 in a row that end before "
        "they did anything, after which the run waits for you"
    )
    pods = (*pods, *facts_of([pod_body("runs")]))
    deaths.last("worker", pods, BEGUN)
    assert deaths.so_far(pods) is not None
    deaths.last("worker", pods, BEGUN, {"uid-of-runs"})
    assert deaths.so_far(pods) is None


def test_one_that_has_worked_is_told_of_and_not_counted() -> None:
    deaths = Deaths()
    worked = pod_body("z", phase="Failed", state=ended(137, lived=50, reason="OOMKilled"))
    pods = facts_of([worked])
    deaths.last("worker", pods, BEGUN)
    said = deaths.so_far(pods)
    assert said is not None
    assert said.message.endswith(
        "it needed more memory than spec.workers.resources.memory (OOMKilled)"
    )


def test_after_a_change_counting_begins_anew() -> None:
    deaths, pods = Deaths(), [facts_of([pod]) for pod in failed(ENOUGH)]
    for pod in pods[:-1]:
        deaths.last("worker", pod, BEGUN)
    deaths.forget()
    assert deaths.last("worker", pods[-1], BEGUN) is None
