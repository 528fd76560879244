"""What the operator waits for, and how long: the API, nodes that are lost, Jobs without pods."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from cluster_examples import pod_body, run_object

from autolfads_operator.cluster.backoff import Backoff
from autolfads_operator.cluster.client import ApiError, Client
from autolfads_operator.cluster.cluster_facts import ClusterFacts
from autolfads_operator.cluster.lost_nodes import GIVEN_UP, LostNodes
from autolfads_operator.cluster.packing import Finding
from autolfads_operator.cluster.plan import Wanted
from autolfads_operator.cluster.pod_facts import PodFacts, facts_of
from autolfads_operator.cluster.unmade import PODS_ARE_MADE, Unmade
from autolfads_operator.cluster.unstarted import NORMAL, Unstarted
from autolfads_operator.cluster.voice import COUNTS, MOST_WRITES, Voice

NOT_READY = ({"type": "Ready", "status": "False"},)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_waits_double_up_to_a_bound_and_begin_anew() -> None:
    backoff = Backoff(5.0)
    refused = ApiError(503, "busy")
    assert [backoff.after(refused) for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    backoff.reset()
    assert backoff.after(refused) == 1.0


def test_the_api_is_not_asked_sooner_than_it_says() -> None:
    assert Backoff(5.0).after(ApiError(429, "busy", 30.0)) == 30.0


def pod(*conditions: dict[str, str]) -> tuple[PodFacts, ...]:
    return facts_of([pod_body("a", conditions=conditions)])


def test_a_worker_on_a_lost_node_is_given_up_after_a_while() -> None:
    clock = Clock()
    nodes = LostNodes(clock)
    assert nodes.given_up(pod(*NOT_READY)) == set()
    clock.now += GIVEN_UP + 1
    assert nodes.given_up(pod(*NOT_READY)) == {"uid-of-a"}


def test_a_node_that_comes_back_begins_anew() -> None:
    clock = Clock()
    nodes = LostNodes(clock)
    nodes.given_up(pod(*NOT_READY))
    clock.now += GIVEN_UP - 1
    assert nodes.given_up(pod()) == set()
    clock.now += GIVEN_UP - 1
    assert nodes.given_up(pod(*NOT_READY)) == set()


def test_what_was_refused_is_told_until_there_are_pods_or_none_is_wanted() -> None:
    async def told() -> list[bool]:
        unmade = Unmade(ClusterFacts(Client("lab"), "claim"))
        unmade.refused(ApiError(403, "jobs is forbidden"), run_object(), [])
        train = Wanted("train", 1)
        first = await unmade.look(train, [], [])
        there = await unmade.look(train, [], pod())
        unmade.refused(ApiError(422, "invalid"), run_object(), [])
        rest = await unmade.look(Wanted("rest"), [], [])
        return [each is not None for each in (first, there, rest)]

    assert asyncio.run(told()) == [True, False, False]


class Events(ClusterFacts):
    """What the cluster has said of a pod."""

    said: str | None = None

    async def last_warning(self, uid: str) -> str | None:
        del uid
        return self.said


def why(said: str | None, **pod: Any) -> tuple[str | None, str | None]:
    """Return the reason that a pod waits, as it is known at once and after a while."""

    async def looked() -> list[str | None]:
        clock, facts = Clock(), Events(Client("lab"), "claim")
        facts.said = said
        unstarted = Unstarted(facts, clock)
        pods = facts_of([pod_body("a", phase="Pending") | pod])
        found = []
        for seconds in (0.0, NORMAL):
            clock.now += seconds
            finding = await unstarted.look(pods)
            found.append(finding and finding.reason)
        return found

    at_once, later = asyncio.run(looked())
    return at_once, later


def test_a_pod_that_waits_without_a_word_is_asked_about_after_a_while() -> None:
    assert why("MountVolume.SetUp failed") == (None, "PodNotStarted")
    assert why(None) == (None, None)  # an image is pulled
    assert why(None, spec={}) == (None, "Unschedulable")


class Jobs(ClusterFacts):
    """A cluster in which a Job may not make all of its pods."""

    refused_at = datetime(2026, 11, 1, tzinfo=UTC)

    async def failed_creations(self, job: str, since: datetime) -> str | None:
        del job
        return "exceeded quota" if self.refused_at >= since else None


@pytest.mark.parametrize("alive", [0, 1, 2])
@pytest.mark.parametrize("recent", [True, False])
def test_pods_that_may_not_be_made_are_told_also_where_some_may(alive: int, recent: bool) -> None:
    async def looked() -> Finding | None:
        clock, facts = Clock(), Jobs(Client("lab"), "claim")
        if recent:
            facts.refused_at = datetime.now(UTC)
        unmade = Unmade(facts, clock)
        job = {"metadata": {"name": "workers"}, "spec": {}}
        pods = facts_of([pod_body(f"p{number}") for number in range(alive)])
        clock.now = 100.0
        await unmade.look(Wanted("train", 2), [job], pods)
        clock.now += PODS_ARE_MADE + 1
        return await unmade.look(Wanted("train", 2), [job], pods)

    finding = asyncio.run(looked())
    assert (finding is not None) == (alive < 2 and recent)


def test_a_status_that_changes_without_an_end_is_written_now_and_then() -> None:
    voice = Voice(Client("lab"))
    may = [voice._may_write() for _ in range(100)]
    assert sum(may) == MOST_WRITES
    voice._counted_at -= 3 * COUNTS
    assert [voice._may_write() for _ in range(4)] == [True, True, True, False]
