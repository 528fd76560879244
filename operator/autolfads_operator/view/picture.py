"""A run at one moment, in the words that all views use. Pure: from the ledger and the statuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from autolfads_operator.controller.attempts import last_reason, progress, used_up
from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_operator.controller.observe import trouble_in
from autolfads_operator.controller.orders import last_of
from autolfads_operator.pbt import generation_epochs
from autolfads_trainer.lanes import process_of
from autolfads_trainer.records import Run, WorkerStatus

MemberState = Literal["waiting", "training", "finished", "lost"]
RunState = Literal["preparing", "training", "exporting", "interrupted", "succeeded", "failed"]


@dataclass(frozen=True)
class MemberPicture:
    """One member in its newest generation. Scores are of the run's metric; lower is better.

    `epoch` is that of the weights; `trained` are the member's own epochs. They differ in
    asynchronous mode, where a copy takes over the winner's epoch.
    """

    member: int
    state: MemberState
    epoch: float
    end_epoch: int
    score: float | None
    why: str
    attempts: int
    generation: int = 0
    trained: float = 0.0
    reason: str | None = None  # why it is lost


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
    trouble: str | None = None  # of a disk, as a worker tells it

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with `version`, which is raised when a key changes its meaning."""
        return {"version": 1, **asdict(self)}


def picture_of(ledger: Ledger, statuses: Mapping[str, WorkerStatus]) -> Picture:
    """Return what the run looks like; `statuses` are those of the workers that live."""
    run = ledger.run
    asynchronous = run is not None and run.pbt.mode == "asynchronous"
    legs = ledger.newest_legs() if asynchronous else ledger.legs_of(ledger.generation)
    members = tuple(_member(leg, statuses) for leg in legs)
    ended = (ledger.legs.get((member, at - 1)) for member, at in sorted(ledger.newest.items()))
    before = tuple(_member(leg, {}) for leg in ended if leg is not None and leg.settled)
    best = ledger.best_leg() if ledger.board.best is not None else None
    last = None
    done = 0.0
    if run is not None:
        last = last_of(run)
        members = tuple(_counted(run, member) for member in members)
        waiting = run.population - len(legs)
        done = sum(member.trained for member in members)
        done += waiting * _began(run, ledger.generation)
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
        best_score=best.score if best else None,
        epochs_done=done,
        epochs_in_all=in_all,
        workers=len({process_of(life) for life in statuses}),
        reason=ledger.end.reason if ledger.end else None,
        notes=run.notes if run else (),
        trouble=trouble_in(statuses),
    )


def _began(run: Run, generation: int) -> int:
    """Return the epochs that a member has trained before a generation."""
    if generation == 0:
        return 0
    return generation_epochs(
        generation,
        burn_in=run.pbt.burn_in_epochs,
        interval=run.pbt.generation_epochs,
        max_epochs=run.pbt.max_epochs,
    )[0]


def _counted(run: Run, member: MemberPicture) -> MemberPicture:
    _, epochs = generation_epochs(
        member.generation,
        burn_in=run.pbt.burn_in_epochs,
        interval=run.pbt.generation_epochs,
        max_epochs=run.pbt.max_epochs,
    )
    began = _began(run, member.generation)
    return replace(member, trained=began + epochs - (member.end_epoch - member.epoch))


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
    return replace(picture, state="interrupted", doing="", members=members, workers=0, trouble=None)


def _member(leg: Leg, statuses: Mapping[str, WorkerStatus]) -> MemberPicture:
    order = leg.order
    end = order.start_epoch + order.epochs
    state: MemberState = "waiting"
    epoch, score = max(float(order.start_epoch), _saved(leg)), None
    last = leg.attempts[-1] if leg.attempts else None
    if leg.finished:
        score = leg.score
        state, epoch = ("finished" if score is not None else "lost"), float(end)
    elif last is not None and last.open:
        state = "training"
        status = statuses.get(last.task.worker)
        if status is not None and status.task == last.task.folder:
            epoch = status.epoch if status.epoch is not None else epoch
            score = status.score
    elif used_up([attempt.outcome for attempt in leg.attempts]):
        state, epoch = "lost", float(end)
    return MemberPicture(
        order.member,
        state,
        epoch,
        end,
        score,
        order.why,
        attempts=len(leg.attempts),
        generation=order.generation,
        reason=_why_lost(leg) if state == "lost" else None,
    )


def _why_lost(leg: Leg) -> str | None:
    if leg.finished is not None and leg.finished.outcome is not None:
        return leg.finished.outcome.reason
    return last_reason([attempt.outcome for attempt in leg.attempts])
