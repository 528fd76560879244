"""One lane of a worker: it looks at its assignment, and does one task after another."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from pathlib import Path

from autolfads_trainer.disk_errors import StoreError, may_pass
from autolfads_trainer.own_classes import place_in_own
from autolfads_trainer.patience import Patience
from autolfads_trainer.records import Assignment, Outcome, Task, WorkerStatus
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks.context import Context, MustLeave, Said, TaskGone
from autolfads_trainer.userinput import InputError
from autolfads_trainer.worker import loading
from autolfads_trainer.worker.log import shortened
from autolfads_trainer.worker.process import Process

LEFT = 143
WAIT = 0.02  # seconds between looks at the assignment: a hand-over takes well under half a second
SLOWEST_WAIT = 1.0  # before there is one: a volume that remembers missing names is not to be asked
SAY_EVERY = 0.2  # seconds between writes of the status while a task goes on


class Worker:
    """One lane: looks at its assignment, does tasks, writes outcomes and its own status."""

    def __init__(
        self,
        folder: RunFolder,
        life: str,
        *,
        device: str,
        save_every: float,
        process: Process,
        allow_import: tuple[str, ...] = (),
        data_at: Path | None = None,
        room_at: Path | None = None,
        gpu_share: float = 1.0,
        trains: bool = True,
        measures_with: int = 0,
    ) -> None:
        self.folder = folder
        self.life = life
        self.device = device
        self.process = process
        self.trains = trains
        # Together they write and look as often as one does that is alone, within reason.
        self.say_every = SAY_EVERY * process.lanes
        self.wait = WAIT * min(process.lanes, 8)
        self.status = WorkerStatus(counter=0, doing="starting", device=device, lanes=process.lanes)
        self.last_said = 0.0
        self.idle_since: float | None = None
        self.log = process.log
        self.patience = Patience(say=self._tell_trouble, stop=self._stop_waiting)
        self.context = Context(
            folder=folder,
            device=device,
            save_every=save_every,
            allow_import=allow_import,
            say=self._say,
            announce=self._announce,
            must_leave=self._must_leave,
            patience=self.patience,
            data_at=data_at,
            room_at=room_at,
            trains=trains,
            measures_with=measures_with,
            gpu_share=gpu_share,
            shared=process.shared,
        )

    def work(self) -> int:
        """Do tasks until the run is over or this worker must leave; return the exit code."""
        self._first_words()
        done: str | None = None
        warm = False
        unknown = WAIT  # until the controller has written the first assignment
        while not self._must_leave():
            assignment = self._assignment()
            if assignment is None and done is None:
                time.sleep(unknown)
                unknown = min(1.5 * unknown, SLOWEST_WAIT)
            if assignment is not None and assignment.leave:
                self._report(doing="leaving")
                return 0
            if assignment is None or assignment.task is None or assignment.task == done:
                # Waiting is the time to import torch: the first task would wait for it otherwise.
                if done is not None and self.trains and not warm:
                    loading.load_training()
                    warm = True
                self._breathe()
                time.sleep(self.wait)
                continue
            done = assignment.task
            try:
                self._do(done)
            except (TaskGone, MustLeave):
                return LEFT
        self._report(doing="left")
        return LEFT

    def _assignment(self) -> Assignment | None:
        return self.patience.once(lambda: self.folder.assignment(self.life), None)

    def _do(self, folder: str) -> None:
        task = self.patience.announced(lambda: self.folder.task(folder))
        if task is None or task.worker != self.life:
            raise TaskGone(folder)  # another life has it
        if self.patience(lambda: self.folder.outcome(folder)) is not None:
            raise TaskGone(folder)  # had by another, or given up
        self._report(
            doing=f"starting to {task.kind}",
            task=folder,
            waited=None if self.idle_since is None else time.monotonic() - self.idle_since,
            ended=None,
            saved=None,  # what was saved is the last task's
            saved_sha256=None,
            saved_epoch=None,
            saved_steps=0,
        )
        outcome = self._attempt(task)
        counts = self.patience(lambda: self.folder.settle(folder, outcome))
        if counts.model_dump_json() != outcome.model_dump_json():
            raise TaskGone(folder)
        self.idle_since = time.monotonic()
        self._report(doing="idle", task=None, ended=folder, epoch=None, score=None, bps=None)

    def _attempt(self, task: Task) -> Outcome:
        try:
            # A task broken off by its disk is begun again when the disk works.
            return self.patience(lambda: loading.run_task(self.context, task))
        except TaskGone:
            raise
        except MustLeave:
            return Outcome(outcome="saved", reason="told to leave")
        except InputError as error:
            return Outcome(outcome="failed", reason=shortened(str(error)), input_error=True)
        except Exception as error:
            self.log.exception()
            reason = str(error) if isinstance(error, StoreError) else _named(error)
            return Outcome(outcome="failed", reason=shortened(reason))

    def _must_leave(self) -> bool:
        return self.process.must_leave

    def _stop_waiting(self) -> None:
        if self._must_leave():
            raise MustLeave
        self._breathe()  # waiting for a disk is a sign of life, if it can be written

    def _tell_trouble(self, trouble: str | None) -> None:
        self.log.line(f"waiting: {trouble}" if trouble else "going on: the disk works again")
        self._report(trouble=trouble)  # the controller may not meet it, and says it to the user

    def _say(self, said: Said) -> None:
        now = time.monotonic()
        if now - self.last_said >= self.say_every or said.doing != self.status.doing:
            self._report(**vars(said))

    def _announce(self, said: Said) -> None:
        self._note(**vars(said))
        with contextlib.suppress(FileNotFoundError):  # as in `_report`
            self.folder.announce(self.life, self.status)

    def _breathe(self) -> None:
        if time.monotonic() - self.last_said >= 1.0:
            self._report()

    def _first_words(self) -> None:
        """Say that this worker is there. Its folder may be seen late, as names are."""
        self.status = self.status.model_copy(update={"doing": "idle", "counter": 1})

        def say() -> bool:
            self.folder.report(self.life, self.status)
            return True

        if self.patience.announced(say) is None:
            raise StoreError(f"{self.folder.root}/workers: no such folder; expected that of a run")

    def _note(self, **changes: object) -> None:
        # In bytes on macOS, in KiB elsewhere.
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        self.status = self.status.model_copy(
            update={
                **changes,
                "counter": self.status.counter + 1,
                "steps": self.context.steps,
                "peak_memory_bytes": peak,
            }
        )

    def _report(self, **changes: object) -> None:
        self._note(**changes)
        try:
            self.folder.report(self.life, self.status)
        except FileNotFoundError:
            pass  # its folder is not seen yet; if it is gone, the outcome will tell
        except OSError as error:  # it decides nothing: the next one will do
            if not may_pass(error):
                raise
        self.last_said = time.monotonic()


def _named(error: Exception) -> str:
    place = place_in_own(error)  # the user can mend it there; all else is in the log
    return f"{type(error).__name__}: {error}" + (f" (in {place})" if place else "")
