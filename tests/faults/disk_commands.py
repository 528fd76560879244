"""`autolfads run` and its workers as forks of one process that has imported everything, once.

The real command with its real pool: only the start of a process is a fork, and a worker may see
the run through another mount. Driven by `disk_runs.py`; a line of JSON asks for each command.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

from forked import DIES_WITH_PARENT, SUBREAPER, _reap, in_fork, set_constants, without_figures


class Fork:
    """What the pool asks of `subprocess.Popen`, for a worker."""

    immortal = 0  # how many of the first a SIGKILL does not reach: as on a node that nobody reaches
    roots: list[str]  # where workers see the run, in the order of their start; the last for more
    started = 0

    def __init__(self, command: list[str], *, stdout: Any, **_: Any) -> None:
        arguments = command[3:]  # behind `python -m MODULE`
        if self.roots:
            root = self.roots[min(Fork.started, len(self.roots) - 1)]
            arguments[arguments.index("--run") + 1] = root
        Fork.started += 1
        self.mortal = Fork.started > self.immortal
        self.returncode: int | None = None
        self.pid = in_fork(lambda: work(arguments, stdout.fileno()))

    def poll(self) -> int | None:
        if self.returncode is None:
            process, status = os.waitpid(self.pid, os.WNOHANG)
            if process:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        until = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() >= until:
                raise subprocess.TimeoutExpired("worker", timeout)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None and (self.mortal or number != signal.SIGKILL):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def speak_to(handle: int) -> None:
    """Print into an open file from now on, in line with what a process of its own would do."""
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout, sys.stderr = (
        os.fdopen(1, "w", 1, closefd=False),
        os.fdopen(2, "w", 1, closefd=False),
    )


def ended(program: Any) -> int:
    """Run a program that ends with `sys.exit`; return its code."""
    try:
        program()
    except SystemExit as ending:
        return int(ending.code or 0)
    return 0


def work(arguments: list[str], log: int) -> int:
    """Be a worker."""
    from autolfads_trainer.worker.command import main

    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    speak_to(log)
    return ended(lambda: main(arguments, standalone_mode=True))


def command(options: dict[str, Any]) -> int:
    """Be `autolfads`."""
    from autolfads_operator import cli
    from autolfads_operator.controller import vitals
    from autolfads_operator.pools import local
    from autolfads_trainer import disk_errors

    ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGKILL)
    speak_to(os.open(options["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666))
    set_constants(options)
    # What is tried again at once is tried again sooner than in life.
    disk_errors.time = SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 0.01)))  # type: ignore[assignment]
    Fork.roots, Fork.immortal = options.get("worker_roots", []), options.get("immortal", 0)
    local.subprocess = SimpleNamespace(  # type: ignore[assignment]
        Popen=Fork,
        DEVNULL=subprocess.DEVNULL,
        STDOUT=subprocess.STDOUT,
        TimeoutExpired=subprocess.TimeoutExpired,
    )
    begun = vitals.Vitals.__init__
    silent = (options.get("silent_after", 300.0), 2.0)  # ours, and those of a command before
    begun.__defaults__ = (*silent, *(begun.__defaults__ or ())[2:])
    sys.argv = ["autolfads", *options["arguments"]]
    return ended(cli.main)


def serve() -> None:
    """Start a command for each line that is read, and tell how those ended that did."""
    import torch

    for name in ("cli", "local_run", "pools.local"):
        importlib.import_module(f"autolfads_operator.{name}")
    for name in ("worker.command", "tasks.prepare", "tasks.train", "tasks.export"):
        importlib.import_module(f"autolfads_trainer.{name}")
    without_figures()
    torch.set_num_threads(1)  # and no kernel runs here: threads would not survive a fork
    ctypes.CDLL(None).prctl(SUBREAPER, 1)
    codes: dict[int, int] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        with contextlib.suppress(ChildProcessError):
            while _reap(codes):
                pass
        if "start" in asked:
            options = asked["start"]
            answer = in_fork(lambda options=options: command(options))
        else:
            answer = codes.get(asked["code_of"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
