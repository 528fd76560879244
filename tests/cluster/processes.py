"""What happens to a worker's process, done from the machine that all nodes are on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from kube.cgroups import memory_group_of


def process_of(life: str) -> int:
    """Return the process of the worker whose life this is (its pod's uid)."""
    wanted = f"AUTOLFADS_LIFE={life}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended
            if wanted in path.read_bytes().split(b"\0"):
                return int(path.parent.name)
    raise LookupError(f"no process of the worker {life}")


def stop(life: str) -> None:
    """Let a worker hang: it is there, and does nothing any more."""
    os.kill(process_of(life), signal.SIGSTOP)


@contextlib.contextmanager
def held(lives: Iterable[str]) -> Iterator[None]:
    """Let workers stand still for a while: whatever else happens meanwhile is in mid-run."""
    stopped = [process_of(life) for life in lives]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):  # its pod was taken meanwhile
                os.kill(pid, signal.SIGCONT)


def run_out_of_memory(life: str, most: int) -> None:
    """Have the kernel kill a worker that may have `most` bytes, for want of memory.

    Another process takes the memory within the worker's limit, and the kernel is told to prefer
    the worker.
    """
    pid = process_of(life)
    Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
    hog = subprocess.Popen(
        [sys.executable, "-c", f"input(); x = bytearray({most}); input()"], stdin=subprocess.PIPE
    )
    assert hog.stdin is not None
    try:
        (memory_group_of(pid) / "cgroup.procs").write_text(str(hog.pid))
        hog.stdin.write(b"\n")
        hog.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            hog.wait(10)
    finally:
        hog.kill()
        hog.wait()
