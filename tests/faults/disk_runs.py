"""Runs by the real command on volumes that fail, compared with one on a good disk."""

from __future__ import annotations

import atexit
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from house import Forge, House, differences, wait_for, workshop

from autolfads_trainer.store import RunFolder

# A disk is waited for as in life, only not as long.
HURRY = {
    "autolfads_operator.controller.steady.FIRST_WAIT": 0.02,
    "autolfads_operator.controller.steady.LONGEST_WAIT": 0.05,
    "autolfads_operator.controller.steady.STALLED": 60.0,
    "autolfads_trainer.patience.FIRST_WAIT": 0.02,
    "autolfads_trainer.patience.LONGEST_WAIT": 0.05,
    "autolfads_trainer.tasks.train.TRY_AGAIN": 0.2,
    "autolfads_trainer.tasks.train.LOOK_EVERY": 0.2,
}
TRY_AGAIN = "the same command goes on"


class CommandForge(Forge):
    """The process that forks commands."""

    def __init__(self) -> None:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("disk_commands.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads, "COLUMNS": "400"},
        )


@functools.cache
def forge() -> CommandForge:
    """Return the one that all tests of this process use."""
    made = CommandForge()
    atexit.register(made.close)
    return made


@functools.cache
def manifest() -> Path:
    """Return a manifest of a small run that makes its own data."""
    spec = {
        "data": {"generate": {"problem": "lorenz", "conditions": 5, "trials": 5, "channels": 8}},
        "population": 3,
        "seed": 5,
        "pbt": {"burnInEpochs": 2, "generationEpochs": 2, "maxEpochs": 6},
        "export": {"posteriorSamples": 1},
        "config": {
            "model": {
                **dict.fromkeys(("ic_enc_dim", "ci_enc_dim", "con_dim", "ic_dim"), 4),
                **{"gen_dim": 6, "fac_dim": 3, "co_dim": 1},
            },
            "datamodule": {"batch_size": 16},
        },
    }
    path = workshop() / "disk.yaml"
    head = {"apiVersion": "autolfads.io/v1alpha1", "kind": "AutoLFADSRun"}
    path.write_text(yaml.safe_dump({**head, "metadata": {"name": "small"}, "spec": spec}))
    return path


@dataclass
class Came:
    """What a disturbed run came to."""

    different: list[str]  # names of what differs from the undisturbed run
    lost: list[str]  # outcomes other than finished: work that was done in vain
    said: str
    starts: int

    @property
    def well(self) -> bool:
        """Whether nothing differs, and nothing was done in vain."""
        return not self.different and not self.lost


class DiskRun(House):
    """One run: seen by its command and its workers through mounts, and by the test below them."""

    def __init__(self, place: Path, source: Path, seen: Path | None = None) -> None:
        super().__init__(place)
        self.root, self.seen = source, seen or source
        self.folder = RunFolder(source)
        self.manifest = manifest()
        self.log = place / "said"
        self.log.touch()
        self.commands: list[int] = []

    def start(self, **options: Any) -> int:
        """Start `autolfads run`; return the number of its process.

        `worker_roots`: where the first, second… worker sees the run, the last for all others.
        `silent_after`: seconds. `immortal`: how many of the first workers a SIGKILL does not reach.
        """
        save_every = str(options.pop("save_every", 300.0))
        arguments = ["run", str(self.manifest), "--out", str(self.seen), "--workers", "2"]
        arguments += ["--device", "cpu", "--save-every", save_every]
        constants = {**HURRY, **options.pop("constants", {})}
        given = {"arguments": arguments, "log": str(self.log), "constants": constants}
        self.commands.append(int(forge().ask(start={**given, **options})))
        return self.commands[-1]

    def code_of(self, command: int) -> int | None:
        """Return a command's exit code; None: it goes on."""
        code: int | None = forge().ask(code_of=command)
        return code

    def status(self, place: Path) -> str:
        """Return what `autolfads status` says of the run, seen in `place`, which must work."""
        log = self.log.with_name(f"status-{len(self.commands)}")
        arguments = ["status", str(place)]
        command = forge().ask(start={"arguments": arguments, "log": str(log)})
        self.commands.append(int(command))
        assert self.wait(command) == 0, log.read_text()
        return log.read_text()

    def interrupt(self, command: int) -> int:
        """Press Ctrl-C; return the exit code."""
        os.kill(command, signal.SIGINT)
        return self.wait(command)

    def wait_for_file(self, pattern: str, command: int | None = None) -> Path:
        """Wait until there is a file of that name in the run, on the disk itself."""

        def found() -> Path | None:
            assert command is None or self.code_of(command) is None, self.said()
            return next(iter(sorted(self.root.glob(pattern))), None)

        path: Path = wait_for(found, f"no {pattern}: {self.said()}")
        return path

    def wait_until_told(self, words: str) -> None:
        """Wait until the command has said so."""
        wait_for(lambda: words in self.told(), f"'{words}' is not said: {self.said()}")

    def wait(self, controller: int) -> int:
        """Wait until a command has ended; return its exit code."""
        return int(wait_for(lambda: self.code_of(controller), f"it hangs; said: {self.said()}"))

    def finish(self, **options: Any) -> int:
        """Give the command as often as it says to give it again; return how often."""
        for starts in range(1, 10):
            code = self.wait(self.start(**options))
            if code == 0:
                return starts
            assert code == 1, self.said()
            assert self.told().splitlines()[-1].endswith(TRY_AGAIN), self.said()
        raise AssertionError(self.said())

    def told(self) -> str:
        """Return what the command printed."""
        return self.log.read_text()

    def said(self) -> str:
        """Return what command and workers printed, for a message."""
        logs = sorted(self.root.glob("workers/*.log"))
        return "\n".join([self.told(), *(f"{log.name}: {log.read_text()}" for log in logs)])

    def came(self, starts: int = 1) -> Came:
        """Return what the run came to."""
        lost = [
            f"{path.parent.relative_to(self.root)}: {path.read_text()}"
            for path in sorted(self.root.rglob("outcome.json"))
            if '"finished"' not in path.read_text()
        ]
        different = differences(self.history(), undisturbed())
        return Came(different, lost, self.told(), starts)

    def kill_all(self) -> None:
        """Kill the commands; their workers leave without them."""
        for command in self.commands:
            if self.code_of(command) is None:
                os.kill(command, signal.SIGKILL)


@contextmanager
def a_run(place: Path, source: Path, seen: Path | None = None) -> Iterator[DiskRun]:
    """Give a run, and see that its commands do not stay."""
    run = DiskRun(place, source, seen)
    try:
        yield run
    finally:
        run.kill_all()


@functools.cache
def undisturbed() -> dict[str, str]:
    """Return the history of a run on a good disk."""
    with a_run(workshop() / "good", workshop() / "good-run") as run:
        assert run.finish() == 1
        return run.history()


def troubles(told: str) -> Sequence[str]:
    """Return what a command said of its disk, in order."""
    return [line for line in told.splitlines() if line.startswith(("waiting: ", "going on: "))]
