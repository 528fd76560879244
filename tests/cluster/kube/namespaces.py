"""A pretended machine: network, mounts, processes, host name and IPC of its own (namespaces).

Whatever runs in them ends with that process, and its mounts and network devices go with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from kube import commands
from kube.build import PAUSE, binaries
from kube.waiting import wait_until

# Where daemons write that take no word for it, and what must be the pretended machine's own.
OWN = ("/run", "/var/log", "/var/lib/cni", "/var/lib/kubelet")


class Namespaces:
    """The namespaces of one pretended machine."""

    def __init__(self, name: str, logs: Path) -> None:
        """Make them. Needs root."""
        logs.mkdir(parents=True, exist_ok=True)
        for folder in OWN:
            Path(folder).mkdir(parents=True, exist_ok=True)
        self.name, self._pause = name, binaries(PAUSE) / "pause"
        command = ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork"]
        command += ["--propagation", "private", "--mount-proc", str(self._pause)]
        with (logs / "namespaces.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(f"the namespaces of {name}", self._find, 10, every=0.02)
        self.run("hostname", name)
        self.run("mount", "--make-rshared", "/")
        for folder in OWN:
            self.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        self.run("ip", "link", "set", "lo", "up")

    def _find(self) -> bool:
        """Find the process that holds them: it must have taken the place of unshare's child."""
        number = self._process.pid
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        if not children:
            return False
        self.init = int(children[0])
        return holds(self.init, self._pause)

    @property
    def entering(self) -> tuple[str, ...]:
        """What is put before a command to run it within."""
        return ("nsenter", "-t", str(self.init), "-m", "-n", "-p", "-u", "-i", "--")

    def run(self, *words: str) -> str:
        """Run a command within; return what it prints. Raises `RuntimeError` when it fails."""
        return commands.run(*self.entering, *words)

    def kill(self) -> None:
        """Kill everything within at once, as when a machine loses its power."""
        if holds(self.init, self._pause):
            os.kill(self.init, signal.SIGKILL)

    def wait(self) -> None:
        """Wait until all that was killed is gone."""
        self._process.wait(30)


def holds(number: int, pause: Path) -> bool:
    """Whether a process is one that holds namespaces, and no other that got its number."""
    try:
        return Path(f"/proc/{number}/exe").readlink() == pause
    except OSError:
        return False
