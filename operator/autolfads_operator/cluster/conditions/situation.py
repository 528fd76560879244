"""All that conditions are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autolfads_operator.cluster.names import WORKER
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.plan import Wanted
from autolfads_operator.cluster.pod_facts import PodFacts
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.cluster.volume_side import Seen


@dataclass(frozen=True)
class Verdict:
    """Whether something holds, and why."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


@dataclass(frozen=True)
class Held:
    """The run waits for its user: which condition says why, and what to change."""

    condition: str
    finding: Finding


@dataclass(frozen=True)
class Situation:
    """A run at one moment, as far as this operator knows it.

    Attributes:
        refused: why the run is not taken up.
        other_operators: who else looks after this namespace.
        seen: what the last turn on the volume saw; None before the first.
        wanted: which workers it should have now.
        lacking: what nodes lack for its workers.
        not_made: why the API refused to make or change a child or a Job's pods, or why a pod that
            was made does not start and does not say so itself.
        died: how the last pod ended, where it was not told to and no other works in its place.
        trouble: what the run's volume does not do, in plain words.
        stalled: whether the volume does not answer at all.
        held: why it waits for its user.
        tidied: whether the run is over, and nothing of it is at work any more.
        past_deadline: whether `activeDeadlineSeconds` are over.
    """

    run: RunObject
    wanted: Wanted
    refused: Finding | None = None
    other_operators: Sequence[str] = ()
    seen: Seen | None = None
    jobs: Sequence[Mapping[str, Any]] = ()
    pods: Sequence[PodFacts] = ()
    lacking: Finding | None = None
    not_made: Finding | None = None
    died: Finding | None = None
    trouble: str | None = None
    stalled: bool = False
    held: Held | None = None
    tidied: bool = False
    past_deadline: bool = False

    @property
    def alive(self) -> list[PodFacts]:
        """The pods that are not over."""
        return [pod for pod in self.pods if pod.phase != "over"]

    @property
    def workers(self) -> list[PodFacts]:
        """The pods that train and are not over."""
        return [pod for pod in self.alive if pod.role == WORKER]

    @property
    def ready(self) -> int:
        """How many of them have shown life."""
        showing = self.seen.showing_life if self.seen is not None else frozenset()
        return sum(pod.uid in showing for pod in self.workers)

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.seen is not None and self.seen.end is not None
