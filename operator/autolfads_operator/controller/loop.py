"""The controller's turn: observe, plan, act. The same on a laptop and in a cluster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from autolfads_operator.controller.act import act
from autolfads_operator.controller.lanes import Lanes
from autolfads_operator.controller.leavings import Leavings
from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.observe import abandon, note_outcomes, read_statuses, trouble_in
from autolfads_operator.controller.orders import lacks_what_came_before
from autolfads_operator.controller.plan import plan
from autolfads_operator.controller.reading import catch_up, read_ledger
from autolfads_operator.controller.reminders import Reminder
from autolfads_operator.controller.removals import Removals
from autolfads_operator.controller.side_by_side import threads
from autolfads_operator.controller.tidy import Tidier
from autolfads_operator.controller.vitals import Vitals
from autolfads_operator.pools import Pool
from autolfads_trainer.disk_errors import may_pass
from autolfads_trainer.lanes import leads
from autolfads_trainer.records import Assignment, Owner, WorkerStatus
from autolfads_trainer.store import RunFolder
from autolfads_trainer.userinput import InputError

DEAF = 10.0  # seconds without a turn, after which silence says nothing about workers
QUIET = 20.0  # seconds without a sign, after which the disk is asked whether it can be written to
LOOK_AGAIN = 1.0  # seconds between looks at what another controller's workers do, and at the folder
AT_ONCE = 4  # records that are written side by side: a disk that syncs slowly can do several
ENOUGH = 0.1  # seconds of writing, after which the rest is for the next turn
AT_THE_END = 1.0  # the same, in a turn when nobody waits for what comes next
LAST_TRIES = 60.0  # seconds that a disk which refuses has to change its mind


@dataclass
class Controller:
    """One run's loop. `clock` is monotonic seconds; `pool` says where workers run.

    A turn that is broken off by an error of the disk can be taken again: what was done is noted in
    the ledger as the run directory holds it, and the rest is planned anew.
    """

    folder: RunFolder
    owner: Owner
    pool: Pool
    clock: Callable[[], float] = time.monotonic
    vitals: Vitals = field(default_factory=Vitals)
    most_held: float = math.inf  # bytes of records that the disk may make it keep in mind
    ledger: Ledger = field(init=False)
    statuses: dict[str, WorkerStatus] = field(init=False, default_factory=dict)  # strangers', too
    more: bool = field(init=False, default=False)  # whether the last turn left something to do
    left: list[str] = field(init=False, default_factory=list)  # at the end, not to be removed
    _lanes: Lanes = field(init=False)  # `pool` itself
    _removals: Removals = field(init=False)
    _tidier: Tidier = field(init=False)
    _leavings: Leavings = field(init=False)
    _reminder: Reminder = field(init=False)
    _seen: set[str] = field(init=False, default_factory=set)
    _dropped: set[str] = field(init=False, default_factory=set)
    _next_look: float = field(init=False, default=0.0)
    _refused: bool = field(init=False, default=False)
    _next_question: float = field(init=False, default=0.0)
    _last_turn: float = field(init=False, default=0.0)
    _ended_at: float | None = field(init=False, default=None)
    _unread: dict[str, float] = field(init=False, default_factory=dict)  # dead workers' statuses

    def __post_init__(self) -> None:
        self.pool = self._lanes = Lanes(self.pool)
        self.ledger = read_ledger(self.folder, self.owner, self.most_held)
        self._know_lanes()
        self._removals = Removals(self.folder)
        self._tidier = Tidier(self._removals)
        self._leavings = Leavings(
            self.folder, self._removals, self.pool.vouches_for, self.vitals.silent_after
        )
        self._reminder = Reminder(self.folder, self.vitals.stranger_silent_after)
        self._last_turn = self.clock()

    def turn(self) -> bool:
        """Take one turn; return whether the run is over.

        Raises `InputError` when a worker met input that the user must mend, and `RunStopped` when
        the run cannot go on now; in both cases it can be started again. Raises `OSError` when the
        disk fails: then take the turn again, later.
        """
        now = self.clock()
        if now - self._last_turn > DEAF:
            self.vitals.hold(now - self._last_turn)
            self._last_turn = now
        self.pool.want(self._wanted())
        lives = self._observe(self.pool.lives(), now)
        self._give_up_the_dead(lives, now)
        if self.ledger.refused is not None:
            raise InputError(self.ledger.refused)
        self._reminder.remind(
            self.ledger.open_attempts(), self.statuses, self.pool.vouches_for, now
        )
        if self.ledger.export:
            # What one that failed has left can be large: it goes before the next one begins.
            self._tidier.tidy(self.ledger, time.perf_counter() + ENOUGH)
        # Acting can make the next actions possible (orders before tasks), without a look outside.
        # The rest waits for the next turn once this one has taken its time: it is all one plan.
        until = time.perf_counter() + ENOUGH
        self.more = False
        may_act = not self._removals.too_many
        with threads(AT_ONCE) as pool:
            while may_act and not self.more and (actions := plan(self.ledger, self._idle())):
                act(self.folder, self.ledger, actions[:AT_ONCE], pool)
                self.more = time.perf_counter() > until
        if self.ledger.end is None:
            tidied = self._tidier.tidy(self.ledger, until) or bool(self._removals.refused)
            self.more |= not tidied
            self._tidy_lives(now, until)
        over = self.ledger.end is not None and self._wind_up(now)
        self._last_turn = now  # when all were last heard: a turn can hang in its midst
        return over

    def trouble(self) -> str | None:
        """Return what the run waits for, in plain words: as workers tell of their disk, or where it
        refuses to remove what must go. None: nothing."""
        ours = {life: self.statuses[life] for life in self.pool.lives() if life in self.statuses}
        waits = self._removals.too_many or self._ended_at is not None
        return trouble_in(ours) or (self._removals.trouble if waits else None)

    def _wind_up(self, now: float) -> bool:
        """Let the workers go and remove the last things; return whether that is done.

        It is when the disk has refused for long enough, too: then what is `left` stays.
        """
        self._ended_at = now if self._ended_at is None else self._ended_at
        enough = now - self._ended_at > LAST_TRIES
        until = time.perf_counter() + AT_THE_END
        try:
            for life in self.pool.lives():
                if leads(life):
                    self.folder.assign(life, Assignment(leave=True))
            done = self._tidier.tidy(self.ledger, until)
            self._tidy_lives(now, until)
        except OSError as error:
            if not (enough and may_pass(error)):
                raise
            return True
        finally:
            self.left = self._removals.refused
        return done or (enough and bool(self.left))

    def _observe(self, lives: list[str], now: float) -> list[str]:
        """Read what workers say; return the lives that are not silent."""
        asked = self.vitals.to_be_read([*lives, *self._strangers(lives)], now)
        found = read_statuses(self.folder, asked)
        self.vitals.hear(asked, found, now)
        self.statuses = found
        self._know_lanes()
        self._ask_the_disk(lives, now)
        for life in self.vitals.silent(lives, now):
            self.pool.drop(life)
            self._dropped.add(life)
        lives = [life for life in lives if life not in self._dropped]
        self._see_what_others_did(found, now)
        return lives

    def _know_lanes(self) -> None:
        at_work = (attempt.task.worker for attempt in self.ledger.open_attempts())
        self._lanes.note(self.statuses, at_work)

    def _ask_the_disk(self, lives: list[str], now: float) -> None:
        """Write something small when workers are quiet. Raises `OSError` where nobody can write.

        Then everybody is silent, and it is not their fault: a time without turns counts for nobody.
        """
        quiet = self.vitals.quiet(lives, now, QUIET) and now >= self._next_question
        if not lives or not (quiet or self._refused):
            return
        self._refused = True  # until it is written
        self.folder.assign(lives[0], self.folder.assignment(lives[0]) or Assignment())
        self._refused = False
        self._next_question = now + QUIET

    def _strangers(self, lives: list[str]) -> list[str]:
        """Return the workers of open attempts that this pool does not know."""
        workers = {attempt.task.worker for attempt in self.ledger.open_attempts()}
        return sorted(life for life in workers - set(lives) if not self.pool.vouches_for(life))

    def _see_what_others_did(self, found: dict[str, WorkerStatus], now: float) -> None:
        """Note outcomes; read anew when a worker speaks of a task that another controller gave."""
        spoken_of = {status.task or status.ended for status in found.values()}
        behind = not all(self.ledger.knows(folder) for folder in spoken_of if folder)
        also = []
        if now >= self._next_look:
            self._next_look = now + LOOK_AGAIN
            self.folder.see_that_it_is_there()
            # Nobody may be left to speak of what another controller gave while this one read.
            behind |= lacks_what_came_before(self.ledger)
            # A stranger may be done with a task and on to the next before we hear of the first.
            also = [
                attempt.task.folder
                for attempt in self.ledger.open_attempts()
                if not self.pool.vouches_for(attempt.task.worker)
            ]
        if behind:
            catch_up(self.folder, self.ledger)
        note_outcomes(self.folder, self.ledger, found, also)

    def _wanted(self) -> int:
        """How many workers the run can use now."""
        if self.ledger.end is not None:
            return 0
        if self.ledger.run is None:
            return 1
        if self.ledger.export:
            return 1
        return self.ledger.run.population

    def _idle(self) -> list[str]:
        """Return the lives that have shown life and have nothing to do."""
        not_free = {attempt.task.worker for attempt in self.ledger.open_attempts()}
        not_free.update(self.pool.leaving())
        return [life for life in self.pool.lives() if life in self.statuses.keys() - not_free]

    def _give_up_the_dead(self, lives: list[str], now: float) -> None:
        alive = set(lives)
        strangers = self._strangers(lives)
        for attempt in self.ledger.open_attempts():
            life = attempt.task.worker
            stranger = life in strangers
            if life in alive or (
                stranger and not self.vitals.is_gone(life, now, self.ledger.given_up(attempt))
            ):
                continue
            try:
                status = self.folder.status(life)
            except OSError as error:
                if not may_pass(error):
                    raise
                # It names the newest save: that is worth to be waited for, and not for ever.
                if now - self._unread.setdefault(life, now) <= LAST_TRIES:
                    continue
                status = None
            fate = "gave no sign" if life in self._dropped else "is gone"
            outcome = abandon(self.folder, attempt, f"its worker {fate}", status, stranger=stranger)
            self.ledger.settle(attempt, outcome)

    def _tidy_lives(self, now: float, until: float) -> None:
        """Remove the files of workers that are over and have nothing open."""
        lives = set(self.pool.lives())
        self._seen |= lives
        busy = {attempt.task.worker for attempt in self.ledger.open_attempts()}
        over = sorted(life for life in self._seen - lives - busy if self.pool.vouches_for(life))
        self._leavings.over(over)
        self.vitals.forget(over)
        self._seen -= set(over)
        self.more |= not self._leavings.tidy(lives | busy, now, until)
