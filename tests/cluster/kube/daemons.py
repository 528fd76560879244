"""Processes that run on in the background, on the machine or in namespaces, with their logs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kube.waiting import wait_until


@dataclass
class Daemon:
    """One process: its name, its log, and what is before its command to enter namespaces."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    is_within: bool  # `process` is nsenter, and its child is the daemon

    @property
    def pid(self) -> int:
        """The daemon's own process number, as the machine sees it."""
        if not self.is_within:
            return self.process.pid
        number = self.process.pid
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        return int(children[0])

    def send(self, number: int) -> None:
        """Send a signal; one that is gone has nothing to hear."""
        try:
            os.kill(self.pid, number)
            if number == signal.SIGCONT:
                # nsenter stops itself when its child does. Left so, it never takes the child's
                # end, and the namespaces can never end either.
                os.kill(self.process.pid, number)
        except (ProcessLookupError, FileNotFoundError, IndexError):
            return

    def stop(self, number: int = signal.SIGKILL, seconds: float = 30) -> None:
        """Send a signal, and wait until the process is gone."""
        self.send(number)
        self.process.wait(seconds)

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def last_words(self, count: int = 20) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


@dataclass
class Daemons:
    """The processes of one cluster, or of one node of it. `entering` is put before each command."""

    logs: Path
    entering: tuple[str, ...] = ()
    all: dict[str, Daemon] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str | Path], **environment: str) -> Daemon:
        """Start one; a second of the same name takes the first one's place, and its log goes on."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(
                [*self.entering, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=os.environ | environment,
                start_new_session=True,
            )
        self.all[name] = Daemon(name, process, log, bool(self.entering))
        return self.all[name]

    def stop(self) -> None:
        """Kill all of them at once: nothing that they hold is kept."""
        for daemon in self.all.values():
            daemon.send(signal.SIGKILL)
        for daemon in self.all.values():
            daemon.process.wait(30)

    def wait_for(self, name: str, what: str, happens: Callable[[], object], seconds: float) -> None:
        """Wait for something that a daemon has to do. Raises `RuntimeError` with its last words."""
        daemon = self.all[name]

        def look() -> bool:
            if not daemon.is_alive():
                raise RuntimeError(f"{name} has ended:\n{daemon.last_words()}")
            return bool(happens())

        try:
            wait_until(what, look, seconds)
        except TimeoutError as error:
            raise RuntimeError(f"{error}; {name} says:\n{daemon.last_words()}") from None
