"""Workers as processes on this machine."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autolfads_operator.errors import RunStopped
from autolfads_trainer.disk_errors import may_pass
from autolfads_trainer.lanes import process_of
from autolfads_trainer.store import RunFolder

SPACE_TO_SPEAK = 1_000_000  # bytes: with less, not even a log can be written
DIES_WITHIN = 5.0  # seconds after SIGKILL, unless a call to a dead volume holds it
LAST_WORDS = 4000  # bytes of a log
MAX_BAD_STARTS = 5  # processes in a row that ended before they did anything
SOON = 20.0  # seconds: who ends sooner, without a task, has not done anything
NEXT_TRY = 2.0  # seconds between tries when the machine refuses to start a process


_LIFE = re.compile(r"worker-[0-9a-f]{8}")


def new_life() -> str:
    """Return a name for a worker that none had before."""
    return f"worker-{secrets.token_hex(4)}"


def is_of_a_worker(name: str) -> bool:
    """Return whether a file in `workers/` has a name that a worker's files have."""
    life, _, kind = name.partition(".")
    return _LIFE.fullmatch(process_of(life)) is not None and kind in ("log", "json", "status.json")


@dataclass(frozen=True)
class _Process:
    life: str
    popen: subprocess.Popen[bytes]
    log: Path
    gpu: str | None = None
    since: float = field(default_factory=time.monotonic)


class LocalPool:
    """Starts the worker program as often as asked for, and again when one dies.

    Each has one thread on a CPU unless told otherwise, a session of its own (so that Ctrl-C
    reaches the controller alone, which tells them), and a log in `workers/`.
    """

    def __init__(
        self, root: Path, most: int, arguments: tuple[str, ...] = (), gpus: Sequence[str] = ()
    ) -> None:
        self.folder = RunFolder(root)
        self.most = most
        self.arguments = arguments
        self.gpus = list(gpus)  # as CUDA_VISIBLE_DEVICES names them; each worker sees one
        self.members_at_once = 1
        self.wanted = 0
        self.told: set[str] = set()  # those that were told to leave, each for another
        self.processes: list[_Process] = []
        self.bad_starts = 0
        self.given_up: set[str] = set()  # killed, and not waited for
        self.started: set[str] = set()
        self.worked: set[str] = set()  # who has done anything: files of those over are removed
        self.next_try = 0.0

    def want(self, count: int) -> None:
        """Keep `count` workers running, at most `most`. More than that are not stopped.

        Raises `RunStopped` when worker after worker dies at its start, with what the last one said.
        """
        self.worked |= {process.life for process in self.processes if self._has_worked(process)}
        for process in [p for p in self.processes if p.popen.poll() is not None]:
            self.processes.remove(process)
            self.told.discard(process.life)
            self.bad_starts = 0 if process.life in self.worked else self.bad_starts + 1
            if self.bad_starts >= MAX_BAD_STARTS:
                raise RunStopped(f"workers die as they start; {_last_words(process)}")
        self.wanted = min(count, self.most)
        while len(self.lives()) < self.wanted and time.monotonic() >= self.next_try:
            self._start()

    def drop(self, life: str) -> None:
        """Kill a worker that shows no sign of life, stopped ones included.

        One that hangs in a call to a dead volume does not die before that returns: it is listed no
        more, and not waited for.
        """
        for process in self.processes:
            if process.life == life and process.popen.poll() is None:
                process.popen.kill()
                self.given_up.add(life)

    def lives(self) -> list[str]:
        """Return the lives of the processes that run."""
        return [
            process.life
            for process in self.processes
            if process.life not in self.given_up and process.popen.poll() is None
        ]

    def vouches_for(self, life: str) -> bool:
        """Return whether the worker was started here."""
        return life in self.started

    def leaving(self) -> Collection[str]:
        """Return those that others take the place of. At the end there are no more turns."""
        return self.told

    @property
    def share(self) -> float:
        """The part of a GPU's memory that each worker keeps to, if all are there."""
        return len(self.gpus) / max(len(self.gpus), self.most) if self.gpus else 1.0

    def have(self, most: int, members_at_once: int) -> None:
        """Have at most so many workers, each of which trains so many members side by side.

        Who began with others, or with another share of a GPU, is replaced.
        """
        before = self.members_at_once, self.share
        self.most, self.members_at_once = most, members_at_once
        if (self.members_at_once, self.share) != before:
            self.told.update(process.life for process in self.processes)
            self.tell_to_leave()

    def _has_worked(self, process: _Process) -> bool:
        if process.life in self.worked:
            return True
        try:
            status = self.folder.status(process.life)
        except OSError as error:  # it has said something; what, cannot be read
            if not may_pass(error):
                raise
            return time.monotonic() - process.since >= SOON
        if status is None:  # it never said a word
            return False
        began = status.task is not None or status.ended is not None
        return began or time.monotonic() - process.since >= SOON

    def _start(self) -> None:
        life = new_life()
        log = self.folder.path(f"workers/{life}.log")
        log.parent.mkdir(exist_ok=True)  # and not the run's folder, if that was moved
        command = [
            sys.executable,
            *("-m", "autolfads_trainer.worker", "--run", str(self.folder.root), "--life", life),
            *("--parent", str(os.getpid()), *self.arguments),
        ]
        if self.members_at_once > 1:
            command += ["--members-at-once", str(self.members_at_once)]
        gpu = self._emptiest_gpu()
        if gpu is not None:  # it keeps to its share of the memory
            command.append(f"--gpu-share={self.share:g}")
        environment = os.environ if gpu is None else {**os.environ, "CUDA_VISIBLE_DEVICES": gpu}
        with log.open("wb") as output:
            try:
                popen = subprocess.Popen(  # noqa: S603  (our own program, no shell)
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=environment,
                )
            except OSError as error:  # not of a disk, which waiting may mend
                self._note_refusal(log, error)
                return
        self.started.add(life)
        self.processes.append(_Process(life, popen, log, gpu))

    def _note_refusal(self, log: Path, error: OSError) -> None:
        log.unlink(missing_ok=True)
        self.next_try = time.monotonic() + NEXT_TRY
        self.bad_starts += 1
        if self.bad_starts >= MAX_BAD_STARTS:
            raise RunStopped(f"workers cannot be started: {error.strerror}") from None

    def _emptiest_gpu(self) -> str | None:
        used = [process.gpu for process in self.processes]
        return min(self.gpus, key=used.count) if self.gpus else None

    def tell_to_leave(self) -> None:
        """Tell all to save and leave."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill those that are left."""
        self._signal(signal.SIGKILL)
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in a dead volume
                process.popen.wait(DIES_WITHIN)

    def _signal(self, number: signal.Signals) -> None:
        for process in self.processes:
            if process.popen.poll() is None:
                process.popen.send_signal(number)


def _last_words(process: _Process) -> str:
    with process.log.open("rb") as log:
        log.seek(max(0, process.log.stat().st_size - LAST_WORDS))
        lines = log.read(LAST_WORDS).decode(errors="replace").strip().splitlines()
    if lines:
        return "the last one said:\n" + "\n".join(lines[-5:])
    if shutil.disk_usage(process.log.parent).free < SPACE_TO_SPEAK:
        return "the disk is full: free some space, and the same command goes on"
    ended = process.popen.returncode
    if ended == -signal.SIGKILL:
        return "the last one was killed (SIGKILL), as a system does that runs out of memory"
    how = f"was ended by signal {-ended}" if ended < 0 else f"ended with exit code {ended}"
    return f"the last one said nothing and {how}"
