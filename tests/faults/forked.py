"""Controllers and workers as forks of one process that has imported everything, once.

They are the real ones: only their calls to the disk are watched, so that one can be ended, stopped
or told to leave at a chosen point. Driven by `house.py`; a line of JSON asks for each controller.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import itertools
import json
import os
import secrets
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from points import Point, install

CALLS = {name: getattr(os, name) for name in ("open", "write", "close", "replace")}
SUBREAPER, DIES_WITH_PARENT = 36, 1  # of prctl(2)
LONGEST_LIFE = 400  # seconds: nothing outlives the tests, whatever happens
TURN = 0.03


def put(path: Path, content: object) -> bool:
    """Create a small file that the house reads; return whether it was new."""
    with contextlib.suppress(FileExistsError):
        handle = CALLS["open"](path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        CALLS["write"](handle, json.dumps(content).encode())
        CALLS["close"](handle)
        return True
    return False


def begun_at(process: int) -> str:
    """Return when a process began, by which another of its number is told from it; "" if gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


def living(notes: Path) -> list[int]:
    """Return the processes of one run that live."""
    told = [path.name.split("-")[1:] for path in notes.glob("pid-*")]
    return [int(pid) for pid, begun in told if begun_at(int(pid)) == begun]


class Watch:
    """Notes the points that this process reaches, and does what it is told to at one of them."""

    def __init__(self, options: dict[str, Any], role: str, life: str) -> None:
        self.root, self.notes = Path(options["root"]), Path(options["notes"])
        self.role, self.life = role, life
        self.at: dict[str, Any] = options.get("at") or {}
        self.then: str = options.get("then", "kill")
        self.nth: int = options.get("nth", 1)
        self.lock = threading.Lock()
        self.count = 0
        self.seen: dict[Point, int] = {}
        put(self.notes / f"pid-{os.getpid()}-{begun_at(os.getpid())}", [role, life])
        self.book = -1
        if options.get("record"):
            name = self.notes / f"points-{role}-{os.getpid()}"
            self.book = CALLS["open"](name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def reached(self, call: str, kind: str, moment: str) -> None:
        point = Point(self.role, call, kind, moment)
        with self.lock:
            if self.book >= 0:
                CALLS["write"](self.book, json.dumps(point).encode() + b"\n")
            if not self.at or any(getattr(point, name) != v for name, v in self.at.items()):
                return
            self.count += 1
            now = self.count == self.nth
        if now and put(self.notes / "struck", [os.getpid(), self.life, *point]):
            self.strike()

    def strike(self) -> None:
        """Do it, once in a run."""
        own = os.getpid()
        if self.then == "kill all":
            for process in living(self.notes):
                if process != own:
                    os.kill(process, signal.SIGKILL)
        number = {"stop": signal.SIGSTOP, "leave": signal.SIGTERM}.get(self.then, signal.SIGKILL)
        os.kill(own, number)


class ForkPool:
    """Workers as forks of this process, each in a session of its own.

    With `forgets`, one that is stopped is taken for gone, or left alone when dropped, and lives:
    as a pod does whose node nobody reaches.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.root, self.notes = Path(options["root"]), Path(options["notes"])
        self.processes: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.dropped: set[str] = set()
        self.started: set[str] = set()

    def want(self, count: int) -> None:
        while len(self.lives()) < min(count, self.options["workers"]):
            life = f"worker-{secrets.token_hex(4)}"
            self.started.add(life)
            (self.root / "workers").mkdir(exist_ok=True)
            self.processes[life] = in_fork(lambda life=life: work(self.options, life))

    def drop(self, life: str) -> None:
        self.dropped.add(life)
        if life in self.processes and not self.options.get("forgets"):
            os.kill(self.processes[life], signal.SIGKILL)

    def lives(self) -> list[str]:
        for life, process in list(self.processes.items()):
            if os.waitpid(process, os.WNOHANG) != (0, 0):
                del self.processes[life]
        if self.options.get("forgets") == "at once" and (self.notes / "struck").exists():
            with contextlib.suppress(ValueError):
                self.dropped.add(json.loads((self.notes / "struck").read_text())[1])
        return [life for life in self.processes if life not in self.dropped]

    def leaving(self) -> list[str]:
        return []

    def vouches_for(self, life: str) -> bool:
        return life in self.started


def in_fork(be: Any) -> int:
    """Start a process that does `be` and ends with what it returns."""
    process = os.fork()
    if process:
        return process
    code = 99
    try:
        signal.alarm(LONGEST_LIFE)
        code = be()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def work(options: dict[str, Any], life: str) -> int:
    """Be a worker."""
    from autolfads_trainer.store import RunFolder
    from autolfads_trainer.tasks import train
    from autolfads_trainer.worker.lane import Worker
    from autolfads_trainer.worker.process import Process

    os.setsid()
    parent = os.getppid() if options.get("leaves_with_parent") else None
    root = Path(options["root"])
    log = CALLS["open"](root / "workers" / f"{life}.log", os.O_WRONLY | os.O_CREAT, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    set_constants(options)
    watch = Watch(options, "worker", life)
    install(root, watch.reached)
    after_step = train._Attempt.after_step

    def told(attempt: Any, member: Any) -> bool:
        watch.reached("step", "training", "before")
        stop = after_step(attempt, member)
        watch.reached("step", "training", "after")
        return stop

    train._Attempt.after_step = told  # type: ignore[method-assign]
    process = Process(parent)
    process.hear_signals()
    worker = Worker(
        RunFolder(root), life, device="cpu", save_every=options["save_every"], process=process
    )
    code = worker.work()
    put(watch.notes / f"exit-{os.getpid()}", code)
    return code


def control(options: dict[str, Any]) -> int:
    """Be a controller, until the run is over."""
    from autolfads_operator.claiming import claim, owner_of
    from autolfads_operator.controller.loop import Controller
    from autolfads_operator.controller.vitals import Vitals
    from autolfads_operator.manifest import read_manifest
    from autolfads_trainer.store import RunFolder

    ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGKILL)
    log = CALLS["open"](
        f"{options['notes']}/log-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666
    )
    os.dup2(log, 1)
    os.dup2(log, 2)
    set_constants(options)
    # A controller's strike is not its workers', and theirs not its own.
    theirs = options["at"] if (options.get("at") or {}).get("role") == "worker" else None
    pool = ForkPool({**options, "at": theirs})
    root, manifest = Path(options["root"]), Path(options["manifest"])
    install(root, Watch(options, "controller", f"controller-{os.getpid()}").reached)
    rate, offset = options["clock"]
    folder = RunFolder(root)
    controller = Controller(
        folder,
        claim(folder, owner_of(read_manifest(manifest), manifest)),
        pool,
        lambda: rate * time.monotonic() + offset,
        Vitals(**options["vitals"]),
    )
    while not controller.turn():
        time.sleep(TURN)
    until = time.monotonic() + 10
    while pool.lives() and time.monotonic() < until:
        time.sleep(TURN)
    return 0


def without_figures() -> None:
    """Leave a report's figures out: a third of a run of seconds, and no disk has a part in them."""
    page = importlib.import_module("autolfads_trainer.results.report.page")
    for section in ("_curves", "_hyperparameters", "_trials"):
        assert callable(getattr(page, section))
        setattr(page, section, lambda *_: "")


def set_constants(options: dict[str, Any]) -> None:
    """Give constants of modules shorter times."""
    for name, value in options.get("constants", {}).items():
        module, attribute = name.rsplit(".", 1)
        setattr(importlib.import_module(module), attribute, value)


def serve() -> None:
    """Start a controller for each line that is read, and tell how those ended that did."""
    import torch

    for name in (
        "autolfads_operator.local_run",
        "autolfads_trainer.tasks.prepare",
        "autolfads_trainer.tasks.train",
        "autolfads_trainer.tasks.export",
        "autolfads_trainer.worker.lane",
    ):
        importlib.import_module(name)
    without_figures()
    torch.set_num_threads(1)  # and no kernel runs here: threads would not survive a fork
    ctypes.CDLL(None).prctl(SUBREAPER, 1)
    codes: dict[int, int] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        with contextlib.suppress(ChildProcessError):
            for _ in itertools.takewhile(bool, iter(lambda: _reap(codes), None)):
                pass
        if "start" in asked:
            options = asked["start"]
            answer = in_fork(lambda options=options: control(options))
            codes.pop(answer, None)  # of an earlier process with this number
        else:
            answer = codes.get(asked["code_of"])
        print(json.dumps(answer), flush=True)


def _reap(codes: dict[int, int]) -> bool:
    process, status = os.waitpid(-1, os.WNOHANG)
    if process:
        codes[process] = os.waitstatus_to_exitcode(status)
    return process != 0


if __name__ == "__main__":
    serve()
