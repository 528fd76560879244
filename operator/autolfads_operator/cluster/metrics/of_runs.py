"""The gauges of one run, made from what its loop knows. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autolfads_operator.cluster.limits import seconds_of
from autolfads_operator.cluster.metrics import table
from autolfads_operator.cluster.metrics.table import Metric
from autolfads_operator.cluster.metrics.tally import Tally
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.cluster.volume_side import Seen

VALUES = {"True": 1.0, "False": 0.0, "Unknown": -1.0}

Sample = tuple[Metric, tuple[str, ...], float]
"""A metric, its labels after `namespace` and `run`, and its value."""


@dataclass(frozen=True)
class Known:
    """What a loop knows of its run.

    Attributes:
        status: as it was last written.
        seen: what the last turn on the volume saw; None: none was taken since this operator began.
        preempted: pods that the cluster took away.
        gpu_share: how much of a GPU a worker has.
        price: of a GPU hour.
    """

    run: RunObject
    status: Mapping[str, Any]
    seen: Seen | None = None
    tally: Tally | None = None
    preempted: int = 0
    gpu_share: float = 0.0
    price: float = 0.0


def samples_of(known: Known) -> Iterator[Sample]:
    """Yield all that is known of a run."""
    yield from _of_status(known)
    if known.seen is not None:
        yield from _of_picture(known.seen)
    if known.tally is not None:
        yield from _of_tally(known, known.tally)


def _of_status(known: Known) -> Iterator[Sample]:
    status, run = known.status, known.run
    for each in status.get("conditions") or []:
        yield table.CONDITION, (each["type"], each["reason"]), VALUES[each["status"]]
    yield table.CREATED, (), seconds_of(run.created)
    if (ended := status.get("completionTime")) is not None:
        yield table.ENDED, (), seconds_of(ended)
    workers = status.get("workers") or {}
    yield table.WORKERS, ("asked",), run.spec.workers.count
    yield table.WORKERS, ("wanted",), workers.get("wanted", 0)
    yield table.WORKERS, ("ready",), workers.get("ready", 0)


def _of_picture(seen: Seen) -> Iterator[Sample]:
    picture = seen.picture
    yield table.STAGE, (picture.state,), 1.0
    if picture.population is None:  # not prepared yet
        return
    yield table.GENERATION, (), picture.generation
    if picture.last_generation is not None:
        yield table.LAST_GENERATION, (), picture.last_generation
    yield table.EPOCHS, (), picture.epochs_done
    yield table.ALL_EPOCHS, (), picture.epochs_in_all
    states = Counter(member.state for member in picture.members)
    states["waiting"] += picture.population - len(picture.members)
    for state in ("waiting", "training", "finished", "lost"):
        yield table.MEMBERS, (state,), states[state]
    if seen.seconds_left is not None:
        yield table.TIME_LEFT, (), seen.seconds_left
    if picture.best_score is not None:
        yield table.SCORE, ("best",), picture.best_score


def _of_tally(known: Known, tally: Tally) -> Iterator[Sample]:
    picture = known.seen.picture if known.seen is not None else None
    scores, bps = dict(tally.scores), dict(tally.bps)
    if picture is not None:
        told = {m.member: m.score for m in (*picture.before, *picture.members)}
        scores = {m: score for m, score in told.items() if score is not None} | scores
        if picture.best_member in bps:
            yield table.BITS, ("best",), bps[picture.best_member]
    if bps:
        yield table.BITS, ("median",), statistics.median(bps.values())
    if scores:
        yield table.SCORE, ("median",), statistics.median(scores.values())
    for member, score in sorted(scores.items()):
        yield table.MEMBER_SCORE, (str(member),), score
    for name, values in tally.spread.items():
        for stat, value in zip(("min", "median", "max"), values, strict=True):
            yield table.HYPERPARAMETER, (name, stat), value
    for order in tally.lineage:
        whose = str(order.member)
        for name, given in order.hyperparameters.items():
            yield table.MEMBER_HYPERPARAMETER, (whose, name), given
        if order.parent is not None:
            yield table.MEMBER_PARENT, (whose,), order.parent[0]
    yield table.IMPROVING, (), float(tally.improving)
    yield table.EXPLOITS, (), tally.exploits
    yield table.RETRIES, (), tally.retries
    for how, count in tally.interruptions.items():
        yield table.INTERRUPTIONS, (how,), count
    yield table.PREEMPTIONS, (), known.preempted
    yield table.EPOCHS_LOST, (), tally.epochs_lost
    yield table.STEPS, (), tally.steps
    used = tally.worker_seconds * known.gpu_share
    yield table.GPU_SECONDS, (), used
    yield table.COST, (), used / 3600 * known.price
