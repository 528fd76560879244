"""What happened in a run, generation by generation: from its records, in the order of their making.

There are no times in records, so there are none here.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from autolfads_operator.controller.attempts import last_reason, used_up
from autolfads_operator.controller.ledger import Attempt, Ledger, Leg
from autolfads_operator.controller.orders import last_of
from autolfads_operator.replay.records import Records, ledger_of
from autolfads_trainer.records import End, Run

State = Literal["finished", "lost", "open"]


@dataclass(frozen=True)
class Incident:
    """An attempt that did not simply finish.

    Attributes:
        number: the attempt's.
        what: how it ended; `again`: it finished, since an earlier end was damaged.
        reason: why.
        epoch: up to where its work was kept, counted from the run's start; None: nothing was.
        damaged: the checkpoint that it found cut, changed or gone.
    """

    number: int
    what: Literal["failed", "saved", "abandoned", "again"]
    reason: str | None
    epoch: int | None
    damaged: str | None


@dataclass(frozen=True)
class Part:
    """One member in one generation.

    Attributes:
        parent: (member, generation) that it started from; None: new weights.
        why: why it did so, as its order says.
        moved: hyperparameters by path, (the parent's value, its own), where a copy changed them.
        score: at the end of the generation; None: lost, or not there yet.
        reason: why it is lost.
    """

    member: int
    parent: tuple[int, int] | None
    copied: bool
    why: str
    moved: dict[str, tuple[float, float]]
    state: State
    score: float | None
    reason: str | None
    incidents: tuple[Incident, ...]


@dataclass(frozen=True)
class Chapter:
    """One generation; epochs count from 1, and are those of members that nobody copied across."""

    generation: int
    first_epoch: int
    last_epoch: int
    parts: tuple[Part, ...]
    best_member: int | None
    best_score: float | None
    record: bool  # the best score of the run so far


@dataclass(frozen=True)
class Story:
    """A whole run."""

    name: str
    run: Run | None
    spec_hash: str
    config_hash: str | None
    last_generation: int | None
    prepare: tuple[Incident, ...]
    chapters: tuple[Chapter, ...]
    export: tuple[Incident, ...]
    end: End | None

    def only(self, generation: int | None, member: int | None) -> Story:
        """Return the story of one generation, or of one member, or of one in one."""
        chapters = (c for c in self.chapters if generation in (None, c.generation))
        told = [
            replace(chapter, parts=tuple(p for p in chapter.parts if member in (None, p.member)))
            for chapter in chapters
        ]
        return replace(self, chapters=tuple(told))

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with `version`, which is raised when a key changes its meaning."""
        run = self.run
        return {
            "version": 1,
            "name": self.name,
            "spec_hash": self.spec_hash,
            "config_hash": self.config_hash,
            "mode": run.pbt.mode if run else None,
            "seed": run.seed if run else None,
            "population": run.population if run else None,
            "metric": run.pbt.metric if run else None,
            "max_epochs": run.pbt.max_epochs if run else None,
            "last_generation": self.last_generation,
            "data": run.data.model_dump(exclude={"format"}) if run else None,
            "prepare": [asdict(incident) for incident in self.prepare],
            "generations": [asdict(chapter) for chapter in self.chapters],
            "export": [asdict(incident) for incident in self.export],
            "end": self.end.model_dump(exclude={"format"}) if self.end else None,
        }


def story_of(records: Records) -> Story:
    """Return the story that the records tell, right or wrong."""
    ledger = ledger_of(records)
    chapters: list[Chapter] = []
    lowest = math.inf
    for generation in sorted({place[1] for place in ledger.legs}):
        chapter = _chapter(ledger, generation, lowest)
        if chapter.best_score is not None:
            lowest = min(lowest, chapter.best_score)
        chapters.append(chapter)
    return Story(
        name=records.owner.name,
        run=records.run,
        spec_hash=records.owner.spec_hash,
        config_hash=records.owner.config_hash,
        last_generation=last_of(records.run) if records.run else None,
        prepare=_incidents(ledger.prepare),
        chapters=tuple(chapters),
        export=_incidents(ledger.export),
        end=records.end,
    )


def _chapter(ledger: Ledger, generation: int, lowest: float) -> Chapter:
    legs = ledger.legs_of(generation)
    scores = [
        (leg.score, leg.order.member)
        for leg in legs
        if leg.score is not None and math.isfinite(leg.score)
    ]
    best_score, best_member = min(scores) if scores else (None, None)
    return Chapter(
        generation=generation,
        first_epoch=min(leg.order.start_epoch for leg in legs) + 1,
        last_epoch=max(leg.order.start_epoch + leg.order.epochs for leg in legs),
        parts=tuple(_part(ledger, leg) for leg in legs),
        best_member=best_member,
        best_score=best_score,
        record=best_score is not None and best_score < lowest,
    )


def _part(ledger: Ledger, leg: Leg) -> Part:
    order = leg.order
    finite = leg.score is not None and math.isfinite(leg.score)
    outcomes = [attempt.outcome for attempt in leg.attempts]
    finished = leg.finished.outcome if leg.finished is not None else None
    lost = finished is not None or used_up(outcomes)
    return Part(
        member=order.member,
        parent=order.parent,
        copied=order.copied,
        why=order.why,
        moved=_moved(ledger, leg) if order.copied else {},
        state="finished" if finite else "lost" if lost else "open",
        score=leg.score if finite else None,
        reason=(finished.reason if finished else last_reason(outcomes))
        if lost and not finite
        else None,
        incidents=_incidents(leg.attempts),
    )


def _moved(ledger: Ledger, leg: Leg) -> dict[str, tuple[float, float]]:
    parent = ledger.legs.get(leg.order.parent) if leg.order.parent is not None else None
    before = parent.order.hyperparameters if parent is not None else {}
    return {
        path: (before[path], value)
        for path, value in leg.order.hyperparameters.items()
        if path in before and before[path] != value
    }


def _incidents(attempts: list[Attempt]) -> tuple[Incident, ...]:
    found = []
    finished = False
    for number, attempt in enumerate(attempts, 1):
        outcome = attempt.outcome
        if outcome is None:
            continue
        if outcome.outcome != "finished" or finished:
            kept = outcome.epoch if outcome.checkpoint is not None else None
            what: Literal["failed", "saved", "abandoned", "again"]
            what = "again" if outcome.outcome == "finished" else outcome.outcome
            found.append(Incident(number, what, outcome.reason, kept, outcome.damaged))
        finished = finished or attempt.has_finished
    return tuple(found)
