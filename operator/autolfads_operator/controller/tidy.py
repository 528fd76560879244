"""Removing what no order can need: the controller alone does it, and only here."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from autolfads_operator.controller.ledger import Attempt, Ledger
from autolfads_operator.controller.retention import forgettable, needed
from autolfads_trainer.disk import is_temporary
from autolfads_trainer.store import RunFolder

LOGS_KEPT = 8  # of workers that are over, the newest
_RECORDS = {"task.json", "outcome.json"}
_DECIDED = (".owner.json.", ".run.json.", ".end.json.")  # half-made, in the run's own folder


@dataclass
class Tidier:
    """Looks into the folder of each attempt that is over, once, and removes what is not needed."""

    folder: RunFolder
    _changes: int = -1
    _stage: tuple[int, bool] = (0, False)
    _again: set[str] = field(default_factory=set)  # attempts to be looked at once more
    _gone: list[str] = field(default_factory=list)

    def tidy(self, ledger: Ledger, until: float = math.inf) -> bool:
        """Remove checkpoints, temporary files and half-made results that are of no use.

        Returns whether all is done. If it is not by `until` (on `time.perf_counter`), the next call
        goes on.
        """
        self._look_again_at_times(ledger)
        if ledger.changes == self._changes:
            return True
        changes = ledger.changes
        keep = needed(ledger)
        for leg in list(ledger.legs.values()):
            if time.perf_counter() > until:
                return False
            first = leg.finished
            for attempt in leg.attempts:
                if not attempt.open:
                    self._sweep(attempt, keep, metrics=attempt is first)
        for attempt in (*ledger.prepare, *ledger.export):
            if attempt.outcome is not None and not attempt.has_finished:
                self._sweep(attempt, keep, metrics=False)
        for leg in forgettable(ledger):
            if time.perf_counter() > until:
                return False
            self._sweep_temporary(RunFolder.leg_folder(*leg.place))
            for attempt in leg.attempts:
                if not attempt.has_finished:
                    attempt.files = None  # its worker may have come back since: a last look
                self._sweep(attempt, keep, metrics=attempt is leg.finished)
            del ledger.legs[leg.place]
        if ledger.end is not None:
            self._sweep_the_rest(ledger)
        self._changes = changes
        return True

    def _look_again_at_times(self, ledger: Ledger) -> None:
        """A worker that hung while it named a checkpoint can have come back since it was given up:
        in a cluster, none can be killed for sure."""
        stage = (ledger.generation, ledger.end is not None)
        if stage != self._stage:
            self._stage, self._changes = stage, -1
            self._again = {
                attempt.task.folder
                for leg in ledger.legs.values()
                for attempt in leg.attempts
                if attempt.outcome is not None and attempt.outcome.outcome == "abandoned"
            }

    def _sweep(self, attempt: Attempt, keep: set[str], *, metrics: bool) -> None:
        place = attempt.task.folder
        if attempt.files is None or place in self._again:
            self._again.discard(place)
            attempt.files = {
                name
                for name in self.folder.contents(place)
                if name not in _RECORDS and not (metrics and name == "metrics.csv")
            }
        for name in sorted(attempt.files):
            if f"{place}/{name}" not in keep and self.folder.remove(f"{place}/{name}"):
                attempt.files.discard(name)

    def _sweep_the_rest(self, ledger: Ledger) -> None:
        """Remove what is half-made beside records: each of those has its name by now."""
        places = {RunFolder.leg_folder(*place) for place in ledger.legs}
        places |= {attempt.task.folder for attempt in (*ledger.prepare, *ledger.export)}
        for place in sorted(places):
            self._sweep_temporary(place)
        for name in self.folder.contents():  # others try the volume here just now, perhaps
            if is_temporary(name) and name.startswith(_DECIDED):
                self.folder.remove(name)

    def _sweep_temporary(self, place: str, of: list[str] | None = None) -> None:
        """Remove files that a process left half-made when it was killed.

        In `workers` only those `of` lives that are over: others may be at it now.
        """
        for name in self.folder.contents(place):
            if is_temporary(name) and (of is None or any(life in name for life in of)):
                self.folder.remove(f"{place}/{name}")

    def lives_over(self, lives: list[str]) -> None:
        """Remove what workers that are over leave behind; their last logs are kept."""
        for life in lives:
            self.folder.remove(f"workers/{life}.json")
            self.folder.remove(f"workers/{life}.status.json")
        self._sweep_temporary("workers", of=lives)
        gone = [*self._gone, *lives]
        for life in gone[:-LOGS_KEPT]:
            self.folder.remove(f"workers/{life}.log")
        self._gone = gone[-LOGS_KEPT:]  # last of all: a disk that fails is asked again
