"""When a run's turns on the shared volume are taken, and what came of the last one."""

from __future__ import annotations

import errno
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

from autolfads_operator.api import RunSpec
from autolfads_operator.cluster.chronicle import Chronicle
from autolfads_operator.cluster.conditions import Held
from autolfads_operator.cluster.metrics.of_operator import METRICS
from autolfads_operator.cluster.names import DATA, DATA_FOLDER, Condition, Reason
from autolfads_operator.cluster.packing import Finding
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.cluster.settings import OperatorSettings
from autolfads_operator.cluster.volume_side import FolderRefused, Seen, VolumeSide
from autolfads_operator.controller.steady import SteadyTurns
from autolfads_operator.errors import RunStopped
from autolfads_trainer.disk_errors import StoreError, in_words
from autolfads_trainer.userinput import InputError

log = logging.getLogger("autolfads.run")

SHORTEST, LONGEST = 0.1, 1.0  # seconds between turns
IN_A_SECOND = 200  # turns of all runs together: what a fraction of one processor core can do
SHARE = 3.0  # a volume rests at least so many times what a turn took
SELDOM = 5.0  # seconds between turns when little can come of them, or the last one failed
HOW_TO_GO_ON = (
    "When the file is mended, set spec.suspend: true and then false, and the run goes on; what is "
    "wrong in the manifest itself is mended by applying a run of another name"
)
LONGEST_FINDING = 2000  # characters
LONGEST_WORDS = 500  # characters of a trouble
SOON = 0.5  # seconds until a turn that was put off is asked for again
LATE = 10.0  # seconds that no turn takes where all is well


class VolumeTurns:
    """Takes the turns of one run, one at a time, and never waits for one. No API in here.

    `at_work` returns how many runs take turns: all share one interpreter.

    Attributes:
        seen: what the last good turn saw.
        held: why no further turn is taken until the user has changed something.
        refused: why the run's folder is not this run's.
        over: whether the run is over and everything is tidied.
        next_at: when `step` is to be called next; `time.monotonic`.
    """

    def __init__(
        self,
        run: RunObject,
        settings: OperatorSettings,
        came_back: Callable[[], None],
        at_work: Callable[[], int] = lambda: 1,
    ) -> None:
        self.side = VolumeSide(run, settings)
        self.held: Held | None = None
        self.refused: Finding | None = None
        self.over = False
        self.next_at = 0.0
        self._told: str | None = None
        self._failed: str | None = None
        self._began = 0.0
        self._at_work = at_work
        self._chronicle = Chronicle(run.name)
        self._turns = SteadyTurns(self._turn, self._tell, self.side.trouble, done=came_back)

    @property
    def seen(self) -> Seen | None:
        """What the last good turn saw."""
        return self.side.seen

    @property
    def trouble(self) -> str | None:
        """What the volume does not do, in plain words; None: all is well."""
        return self._told or self._failed

    @property
    def stalled(self) -> bool:
        """Whether the volume does not answer at all."""
        return self._turns.is_stalled

    def _turn(self) -> bool:
        """Take a turn, in its thread, and count it."""
        began = time.monotonic()
        try:
            return self.side.turn()
        except OSError as error:
            METRICS.volume_error(errno.errorcode.get(error.errno or 0, "other"))
            raise
        finally:
            took = time.monotonic() - began
            METRICS.turn(took, late=took > LATE)

    def _tell(self, words: str | None) -> None:
        # A worker writes the words: it must not fill the operator's memory with them.
        self._told = words[:LONGEST_WORDS] if words is not None else None

    def step(self, *, idle: bool) -> None:
        """Begin a turn if it is time, or take what came of the one that goes on.

        With `idle` nothing new is expected of the run directory.
        """
        now = time.monotonic()
        if self.over or self.held is not None or self.refused is not None:
            self.next_at = now + SELDOM
            return
        if not self._turns.in_progress:
            if now < self.next_at:
                return
            self._began = now
        try:
            over = self._turns.step(0)
        except FolderRefused as error:
            self.refused = Finding(Reason.SPEC_CHANGED, str(error))
        except InputError as error:
            said = as_the_user_knows_it(str(error), self.side.run.spec)
            said = f"{said}\n{HOW_TO_GO_ON}"
            self.held = Held(Condition.DATA_READY, Finding(Reason.INPUT_REFUSED, said))
        except StoreError as error:
            self.side.begin_again()  # and keep in mind nothing of what may be too much
            finding = Finding(Reason.RUN_FOLDER_BROKEN, str(error)[:LONGEST_FINDING])
            self.held = Held(Condition.PROGRESSING, finding)
        except RunStopped as error:
            self.held = Held(Condition.PROGRESSING, Finding(Reason.STOPPED, str(error)))
        except OSError as error:
            self._begin_again(in_words(error), now)
        except Exception as error:
            # Of this operator: it costs this run, and is told where its user looks.
            log.exception("%s: a turn on the volume failed", self.side.run.name)
            self._begin_again(f"an error of the operator, {type(error).__name__}: {error}", now)
        else:
            self._go_on(over, now, idle=idle)

    def _begin_again(self, why: str, now: float) -> None:
        self._failed = why[:LONGEST_WORDS]
        self.side.begin_again()
        self.next_at = now + SELDOM

    def _go_on(self, over: bool | None, now: float, *, idle: bool) -> None:
        if over is None:  # it goes on, or was put off
            self.next_at = now + SOON
            return
        self.over = over
        self._failed = self.side.unfit
        if self.seen is not None:
            self._chronicle.note(self.seen.picture)
        if idle or self.side.unfit is not None:
            self.next_at = now + SELDOM
        elif self.side.more:
            self.next_at = now
        else:
            fair = max(SHORTEST, self._at_work() / IN_A_SECOND, SHARE * (now - self._began))
            self.next_at = now + min(LONGEST, fair)

    def try_again(self, run: RunObject) -> None:
        """Forget what held the run: the user has changed something in `run`."""
        self.side.keep_results = run.spec.keep_results
        if self.held is not None or self.refused is not None:
            self.side.begin_again()
            self.held = self.refused = None
            self.next_at = 0.0

    def end(self) -> None:
        """Take no further turn."""
        self._turns.end()


def as_the_user_knows_it(said: str, spec: RunSpec) -> str:
    """Return what a worker says of its input with the files' names and fields of the manifest.

    A worker sees the claim's folder of data at another place than the user.
    """
    for field, path in (("spec.data.path", spec.data.path), ("spec.configFile", spec.config_file)):
        if path is not None and said.startswith(f"{Path(DATA_FOLDER, path)}:"):
            said = f"{field}: {said}"
    return re.sub(rf"{DATA_FOLDER}\b", DATA, said)
