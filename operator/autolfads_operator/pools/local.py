"""Workers as processes on this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autolfads_operator.errors import RunStopped

SPACE_TO_SPEAK = 1_000_000  # bytes: with less, not even a log can be written
DIES_WITHIN = 5.0  # seconds after SIGKILL, unless a call to a dead volume holds it
LAST_WORDS = 4000  # bytes of a log
MAX_BAD_STARTS = 5  # processes in a row that ended before they did anything


@dataclass(frozen=True)
class _Process:
    life: str
    popen: subprocess.Popen[bytes]
    log: Path
    gpu: str | None = None


class LocalPool:
    """Starts the worker program as often as asked for, and again when one dies.

    Each has one thread on a CPU unless told otherwise, a session of its own (so that Ctrl-C
    reaches the controller alone, which tells them), and a log in `workers/`.
    """

    def __init__(
        self, root: Path, most: int, arguments: tuple[str, ...] = (), gpus: Sequence[str] = ()
    ) -> None:
        self.root = root
        self.most = most
        self.arguments = arguments
        self.gpus = list(gpus)  # as CUDA_VISIBLE_DEVICES names them; each worker sees one
        self.processes: list[_Process] = []
        self.bad_starts = 0
        self.given_up: set[str] = set()  # killed, and not waited for
        self.started: set[str] = set()
        self.had_worked: dict[str, bool] = {}  # of those that are over and not counted yet

    def want(self, count: int) -> None:
        """Keep `count` workers running, at most `most`. More than that are not stopped.

        Raises `RunStopped` when worker after worker dies at its start, with what the last one said.
        """
        self.lives()
        over = [process for process in self.processes if process.life in self.had_worked]
        for process in [process for process in over if process.popen.poll() is not None]:
            self.processes.remove(process)
            self.bad_starts = 0 if self.had_worked.pop(process.life) else self.bad_starts + 1
            if self.bad_starts >= MAX_BAD_STARTS:
                raise RunStopped(f"workers die as they start; {_last_words(process)}")
        while len(self.lives()) < min(count, self.most):
            self.processes.append(self._start())

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
        """Return the lives of the processes that run.

        The files of those that are not listed may be removed, so what they tell is noted before.
        """
        running = []
        for process in self.processes:
            life = process.life
            if life not in self.given_up and process.popen.poll() is None:
                running.append(life)
            elif life not in self.had_worked:
                self.had_worked[life] = self._has_worked(life)
        return running

    def vouches_for(self, life: str) -> bool:
        """Return whether the worker was started here."""
        return life in self.started

    def _has_worked(self, life: str) -> bool:
        return (self.root / "workers" / f"{life}.status.json").exists()

    def _start(self) -> _Process:
        life = f"worker-{secrets.token_hex(4)}"
        self.started.add(life)
        log = self.root / "workers" / f"{life}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            *("-m", "autolfads_trainer.worker", "--run", str(self.root), "--life", life),
            *("--parent", str(os.getpid()), *self.arguments),
        ]
        gpu = self._emptiest_gpu()
        environment = os.environ if gpu is None else {**os.environ, "CUDA_VISIBLE_DEVICES": gpu}
        with log.open("wb") as output:
            popen = subprocess.Popen(  # noqa: S603  (our own program, no shell)
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )
        return _Process(life, popen, log, gpu)

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
    return f"the last one said nothing and ended with {process.popen.returncode}"
