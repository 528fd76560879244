"""A run at one moment, in the words that all views use. Pure: from the ledger and the statuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from autolfads_operator.controller.attempts import progress, used_up
from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_operator.controller.scoreboard import best_leg, score_of
from autolfads_operator.pbt import last_generation
from autolfads_trainer.records import WorkerStatus

MemberState = Literal["waiting", "training", "finished", "lost"]
RunState = Literal["preparing", "training", "exporting", "interrupted", "succeeded", "failed"]


@dataclass(frozen=True)
class MemberPicture:
    """One member in the newest generation. Scores are of the run's metric; lower is better."""

    member: int
    state: MemberState
    epoch: float
    end_epoch: int
    score: float | None
    why: str
    attempts: int


@dataclass(frozen=True)
class Picture:
    """A whole run."""

    name: str
    state: RunState
    doing: str
    generation: int
    last_generation: int | None
    population: int | None
    seed: int | None
    metric: str | None
    members: tuple[MemberPicture, ...]
    before: tuple[MemberPicture, ...]  # the same, at the end of the generation before
    best_member: int | None
    best_generation: int | None
    best_score: float | None
    epochs_done: float
    epochs_in_all: int
    workers: int
    reason: str | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with `version`, which is raised when a key changes its meaning."""
        return {"version": 1, **asdict(self)}


def picture_of(ledger: Ledger, statuses: Mapping[str, WorkerStatus]) -> Picture:
    """Return what the run looks like; `statuses` are those of the workers that live."""
    run = ledger.run
    legs = ledger.legs_of(ledger.generation)
    members = tuple(_member(leg, statuses) for leg in legs)
    before = tuple(_member(leg, {}) for leg in ledger.legs_of(ledger.generation - 1))
    best = None
    if any(leg.finished for leg in ledger.legs.values()):
        try:
            best = best_leg(ledger)
        except LookupError:
            best = None
    last = None
    done = 0.0
    if run is not None:
        last = last_generation(
            burn_in=run.pbt.burn_in_epochs,
            interval=run.pbt.generation_epochs,
            max_epochs=run.pbt.max_epochs,
        )
        start = legs[0].order.start_epoch if legs else 0
        waiting = run.population - len(legs)
        done = sum(member.epoch for member in members) + waiting * start
    in_all = run.population * run.pbt.max_epochs if run else 0
    if ledger.end is not None and ledger.end.state == "succeeded":
        done = float(in_all)  # it may have stopped improving before the last epoch
    return Picture(
        name=ledger.owner.name,
        state=_state(ledger),
        doing=_doing(ledger, statuses),
        generation=ledger.generation,
        last_generation=last,
        population=run.population if run else None,
        seed=run.seed if run else None,
        metric=run.pbt.metric if run else None,
        members=members,
        before=before,
        best_member=best.order.member if best else None,
        best_generation=best.order.generation if best else None,
        best_score=score_of(best) if best else None,
        epochs_done=done,
        epochs_in_all=in_all,
        workers=len(statuses),
        reason=ledger.end.reason if ledger.end else None,
        notes=run.notes if run else (),
    )


def _state(ledger: Ledger) -> RunState:
    if ledger.end is not None:
        return ledger.end.state
    if ledger.run is None:
        return "preparing"
    return "exporting" if ledger.export else "training"


def _doing(ledger: Ledger, statuses: Mapping[str, WorkerStatus]) -> str:
    """Say what the worker on the only task of this stage says; training has a table for that."""
    attempts = ledger.export or ([] if ledger.run else ledger.prepare)
    if ledger.end is not None or not attempts:
        return ""
    task = attempts[-1].task
    status = statuses.get(task.worker)
    return status.doing if status is not None and status.task == task.folder else ""


def _saved(leg: Leg) -> float:
    """Return the epoch of the newest checkpoint that an earlier attempt left."""
    reached = [progress(a.outcome)[0] for a in leg.attempts if a.outcome is not None]
    return float(max(reached, default=0))


def at_rest(picture: Picture) -> Picture:
    """Return the picture of a run that nobody is at work on."""
    if picture.state in ("succeeded", "failed"):
        return picture
    members = tuple(
        replace(member, state="waiting") if member.state == "training" else member
        for member in picture.members
    )
    return replace(picture, state="interrupted", doing="", members=members, workers=0)


def _member(leg: Leg, statuses: Mapping[str, WorkerStatus]) -> MemberPicture:
    order = leg.order
    end = order.start_epoch + order.epochs
    state: MemberState = "waiting"
    epoch, score = max(float(order.start_epoch), _saved(leg)), None
    last = leg.attempts[-1] if leg.attempts else None
    if leg.finished:
        score = score_of(leg)
        state, epoch = ("finished" if score is not None else "lost"), float(end)
    elif last is not None and last.open:
        state = "training"
        status = statuses.get(last.task.worker)
        if status is not None and status.task == last.task.folder:
            epoch = status.epoch if status.epoch is not None else epoch
            score = status.score
    elif used_up(leg.attempts):
        state, epoch = "lost", float(end)
    return MemberPicture(order.member, state, epoch, end, score, order.why, len(leg.attempts))
