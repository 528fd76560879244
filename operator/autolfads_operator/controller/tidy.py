"""Removing what no order can need: the controller alone does it."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field

from autolfads_operator.controller.ledger import Attempt, Ledger, Leg
from autolfads_operator.controller.removals import Removals
from autolfads_operator.controller.retention import forgettable, needed
from autolfads_trainer.places import is_temporary
from autolfads_trainer.records import Place
from autolfads_trainer.store import RunFolder

_RECORDS = {"task.json", "outcome.json"}
AT_LEAST = 0.005  # seconds in each turn, which may have taken its time already: else disks fill up
_DECIDED = (".owner.json.", ".run.json.", ".end.json.")  # half-made, in the run's own folder


@dataclass
class Tidier:
    """Looks into the folder of each attempt that is over, once, and removes what is not needed."""

    removals: Removals
    _changes: int = -1  # of the ledger, at the beginning of the newest pass
    _pass: deque[Place] | None = None  # what is still to be looked at in it; None: it is over
    _stage: tuple[int, bool] = (0, False)
    _again: set[str] = field(default_factory=set)  # attempts to be looked at once more

    def tidy(self, ledger: Ledger, until: float = math.inf) -> bool:
        """Remove checkpoints, temporary files and half-made results that are of no use.

        Returns whether all is done. If it is not by `until` (on `time.perf_counter`), or the disk
        refuses, a later call goes on.
        """
        self.removals.try_again()
        self._look_again_at_times(ledger)
        if self._pass is None and ledger.changes != self._changes:
            self._pass, self._changes = deque(ledger.legs), ledger.changes
        if self._pass is not None:
            if not self._sweep_all(ledger, self._pass, until):
                return False
            self._pass = None
        if ledger.changes != self._changes:
            return False
        return self._sweep_old(ledger, until) and not self.removals.refused

    def _sweep_old(self, ledger: Ledger, until: float) -> bool:
        """Go through what was over when the controller began: the one before may have been refused
        by the disk, or killed. Returns whether all of it is done."""
        while ledger.old:
            if self._is_to_wait(ledger, until):
                return False
            leg = ledger.old[0]
            if leg.place not in ledger.legs and not self._sweep_leg(leg, set()):
                return False
            ledger.old.popleft()
        return True

    def _sweep_leg(self, leg: Leg, keep: set[str]) -> bool:
        """Look for the last time at a leg that is over; return whether it could be looked at."""
        swept = self._sweep_temporary(RunFolder.leg_folder(*leg.place))
        for attempt in leg.attempts:
            if not attempt.has_finished:
                attempt.files = None  # its worker may have come back since
            swept &= self._sweep(attempt, keep, metrics=attempt is leg.finished)
        return swept

    def _look_again_at_times(self, ledger: Ledger) -> None:
        """A worker that hung while it named a checkpoint can have come back since it was given up:
        in a cluster, none can be killed for sure."""
        stage = (ledger.generation, ledger.end is not None)
        if stage != self._stage:
            self._stage, self._changes = stage, -1  # once more, when the pass in progress is over
            self._again = {
                attempt.task.folder
                for leg in ledger.legs.values()
                for attempt in leg.attempts
                if attempt.outcome is not None and attempt.outcome.outcome == "abandoned"
            }

    def _sweep_all(self, ledger: Ledger, places: deque[Place], until: float) -> bool:
        """Go on with a pass through all that is over; return whether it is at its end.

        It goes on where it was: of a thousand members more is over than one turn can look at.
        """
        keep = needed(ledger)
        until = max(until, time.perf_counter() + AT_LEAST)
        looked = True
        for attempt in (*ledger.prepare, *ledger.export):
            if attempt.outcome is not None and not attempt.has_finished:
                looked &= self._sweep(attempt, keep, metrics=False)
        once_more: list[Place] = []  # where the disk refuses
        while places:
            place = places.popleft()
            if place in ledger.legs and not self._sweep_over(ledger.legs[place], keep):
                once_more.append(place)
            if self._is_to_wait(ledger, until):
                places.extend(once_more)
                return False
        places.extend(once_more)
        looked &= not once_more
        for leg in forgettable(ledger):
            swept = self._sweep_leg(leg, keep)
            if swept:
                ledger.forget(leg.place)
            looked &= swept
            if self._is_to_wait(ledger, until):
                return False
        if ledger.end is not None:
            looked &= self._sweep_the_rest(ledger)
        return looked

    def _sweep_over(self, leg: Leg, keep: set[str]) -> bool:
        """Remove what is of no use of the attempts at a leg that are over."""
        first, looked = leg.finished, True
        for attempt in leg.attempts:
            if not attempt.open:
                looked &= self._sweep(attempt, keep, metrics=attempt is first)
        return looked

    def _is_to_wait(self, ledger: Ledger, until: float) -> bool:
        # A disk that refuses everything need not be asked for everything, until the last turn.
        hopeless = self.removals.too_many and ledger.end is None
        return hopeless or time.perf_counter() > until

    def _sweep(self, attempt: Attempt, keep: set[str], *, metrics: bool) -> bool:
        """Remove what is of no use in an attempt's folder; return whether it could be looked at."""
        place = attempt.task.folder
        if attempt.files is None or place in self._again:
            found = self.removals.contents(place)
            if found is None:
                return False
            self._again.discard(place)
            attempt.files = {
                name
                for name in found
                if name not in _RECORDS and not (metrics and name == "metrics.csv")
            }
        for name in sorted(attempt.files):
            if f"{place}/{name}" not in keep and self.removals.remove(f"{place}/{name}"):
                attempt.files.discard(name)
        return True

    def _sweep_the_rest(self, ledger: Ledger) -> bool:
        """Remove what is half-made beside records: each of those has its name by now."""
        places = {RunFolder.leg_folder(*place) for place in ledger.legs}
        places |= {attempt.task.folder for attempt in (*ledger.prepare, *ledger.export)}
        looked = [self._sweep_temporary(place) for place in sorted(places)]
        # Others try the volume in the run's own folder just now, perhaps.
        return self._sweep_temporary(None, of=_DECIDED) and all(looked)

    def _sweep_temporary(self, place: str | None, of: tuple[str, ...] = ("",)) -> bool:
        """Remove files that a process left half-made when it was killed."""
        found = self.removals.contents(place)
        for name in found or []:
            if is_temporary(name) and name.startswith(of):
                self.removals.remove(f"{place}/{name}" if place else name)
        return found is not None
