"""The worker: one process, one life. Does one task after another until the run is over.

Exit codes: 0 only when told that the run is over; 143 when told to leave (SIGTERM) or left alone;
1 when the run directory fails.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import click

from autolfads_trainer.disk_errors import StoreError, may_pass
from autolfads_trainer.freed_memory import keep_freed_memory
from autolfads_trainer.lanes import lane_of, share_of
from autolfads_trainer.patience import Patience
from autolfads_trainer.records import MOST_LANES, Assignment, Outcome, Task, WorkerStatus
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks.context import Context, MustLeave, Said, TaskGone
from autolfads_trainer.tasks.shared import Shared
from autolfads_trainer.userinput import InputError
from autolfads_trainer.worker_log import WorkerLog, shortened

LEFT = 143
WAIT = 0.02  # seconds between looks at the assignment: a hand-over takes well under half a second
SLOWEST_WAIT = 1.0  # before there is one: a volume that remembers missing names is not to be asked
SAY_EVERY = 0.2  # seconds between writes of the status while a task goes on


@dataclass
class Process:
    """What the lanes of one process have in common.

    Attributes:
        parent: leave when this process is no longer the parent; None: never.
        lanes: how many there are.
        told_to_leave: by SIGTERM, or since one of the lanes has come to its end.
    """

    parent: int | None = None
    lanes: int = 1
    told_to_leave: bool = False
    log: WorkerLog = field(default_factory=WorkerLog)

    @cached_property
    def shared(self) -> Shared:
        """What their tasks share."""
        return Shared(self.lanes, self.log.line)

    @property
    def must_leave(self) -> bool:
        """Whether all are to save and leave."""
        # A worker whose controller died would compete with its successor for the cores.
        alone = self.parent is not None and os.getppid() != self.parent
        return self.told_to_leave or alone

    def hear_signals(self) -> None:
        """Leave at SIGTERM. Ctrl-C is for the controller, which tells us."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _on_sigterm(self, _signal: int, _frame: object) -> None:
        self.told_to_leave = True


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
                    _import_torch()
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
            return self.patience(lambda: _run_task(self.context, task))
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


def work_in_lanes(process: Process, lanes: Sequence[Worker]) -> int:
    """Do tasks in all lanes until the run is over or all must leave; return the exit code.

    The first lane is this thread's: signals come to it, and it is told when the run is over.
    """
    errors: list[BaseException] = []

    def work(lane: Worker) -> None:
        try:
            lane.work()
        except BaseException as error:
            errors.append(error)
        finally:
            process.told_to_leave = True

    threads = [threading.Thread(target=work, args=(lane,), name=lane.life) for lane in lanes[1:]]
    for thread in threads:
        thread.start()
    try:
        code = lanes[0].work()
    finally:
        process.told_to_leave = True
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return code


def number_of_lanes(folder: RunFolder, members_at_once: str, workers: int, device: str) -> int:
    """Return how many lanes `--members-at-once` asks for: N, or with `auto` a share of the members.

    On a CPU members are faster one after another.
    """
    if members_at_once != "auto":
        return min(int(members_at_once), MOST_LANES)
    if device == "cpu":
        return 1
    # Who is told `auto` begins when the run is prepared: others must not ask for this name, which
    # volumes remember as missing.
    run = folder.run()
    return 1 if run is None else share_of(run.population, workers)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _run_task(context: Context, task: Task) -> Outcome:
    # Imported here: preparing needs no torch, and should not wait for it.
    if task.kind == "prepare":
        from autolfads_trainer.tasks.prepare import prepare  # noqa: PLC0415

        return prepare(context, task)
    if task.kind == "train":
        from autolfads_trainer.tasks.train import train  # noqa: PLC0415

        return train(context, task)
    from autolfads_trainer.tasks.export import export  # noqa: PLC0415

    return export(context, task)


def _import_torch() -> None:
    from autolfads_trainer.tasks import train  # noqa: F401, PLC0415


def _whole_or_auto(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if value != "auto" and not (value.isascii() and value.isdecimal() and int(value)):
        raise click.BadParameter(f"found {value!r}; expected a whole number of at least 1, or auto")
    return value


@click.command()
@click.option("--run", "root", type=click.Path(path_type=Path), required=True)
@click.option("--life", required=True, help="This worker's name, never used again.")
@click.option("--device", default="auto", show_default=True)
@click.option("--threads", default=1, show_default=True, help="CPU threads.")
@click.option("--save-every", default=300.0, show_default=True, help="Seconds.")
@click.option("--parent", type=int, help="Leave when this process is no longer the parent.")
@click.option("--allow-import", multiple=True)
@click.option("--data", "data_at", type=click.Path(path_type=Path), help="Where the data lie now.")
@click.option(
    "--room-at", type=click.Path(path_type=Path), help="The folder whose disk must have room."
)
@click.option(
    "--gpu-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="How much of the GPU's memory may be used, where workers share one.",
)
@click.option(
    "--members-at-once",
    metavar="N|auto",
    default="1",
    show_default=True,
    callback=_whole_or_auto,
    help="How many members are trained side by side; auto: as many as are this worker's share.",
)
@click.option("--workers", default=1, show_default=True, help="Who share the members.")
@click.option("--only-prepares", is_flag=True, help="It need not load what training needs.")
def main(
    root: Path,
    life: str,
    device: str,
    threads: int,
    save_every: float,
    parent: int | None,
    allow_import: tuple[str, ...],
    data_at: Path | None,
    room_at: Path | None,
    gpu_share: float,
    members_at_once: str,
    workers: int,
    only_prepares: bool,
) -> None:
    """Work for the run in a run directory. Started by a controller, not by hand."""
    # Read by OpenMP when torch is loaded, which is later.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    keep_freed_memory()
    try:
        folder = RunFolder(root)
        process = Process(parent)
        process.hear_signals()
        process.lanes = number_of_lanes(folder, members_at_once, workers, device)
        lanes = [
            Worker(
                folder,
                lane_of(life, number),
                device=device,
                save_every=save_every,
                process=process,
                allow_import=allow_import,
                data_at=data_at,
                room_at=room_at,
                gpu_share=gpu_share,
                trains=not only_prepares,
            )
            for number in range(process.lanes)
        ]
        sys.exit(work_in_lanes(process, lanes))
    except (StoreError, OSError) as error:
        click.echo(f"worker {life}: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
