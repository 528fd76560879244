"""Reading a stranger's file in a process of its own first.

A file can be made so that the HDF5 library itself crashes or never ends, whatever is checked
before. Then it is this child that ends, and its end is one clear `InputError`.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.data.memory import usable_memory
from autolfads_trainer.userinput import InputError

CPU_SECONDS = 600  # of work, so that a slow volume is not taken for a file without end
_REFUSED = 42


def try_to_read(path: Path, cpu_seconds: int = CPU_SECONDS) -> None:
    """Read and check the recording in another process. Raises `InputError` where that fails."""
    command = [sys.executable, "-P", "-m", __name__, str(path), str(cpu_seconds)]
    ended = subprocess.run(  # noqa: S603 (ourselves)
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if ended.returncode == 0:
        return
    if ended.returncode == _REFUSED:
        raise InputError(ended.stdout.decode())
    if ended.returncode == -signal.SIGXCPU:
        raise InputError(f"{path}: cannot be read: {cpu_seconds} s of work did not come to its end")
    if ended.returncode < 0:
        name = signal.Signals(-ended.returncode).name
        raise InputError(
            f"{path}: is a broken HDF5 file: a process that tried to read it died ({name})"
        )
    lines = ended.stderr.decode(errors="replace").split("\n")
    raise InputError(f"{path}: cannot be read: {next((x for x in lines[::-1] if x), 'no reason')}")


def _limit(cpu_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for what, most in (
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, usable_memory() + (1 << 30)),  # 1 GiB: libraries, mapped, not filled
    ):
        _, hard = resource.getrlimit(what)
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(what, (most, hard))


if __name__ == "__main__":
    _limit(int(sys.argv[2]))
    try:
        read_recording(Path(sys.argv[1]))
    except InputError as refusal:
        sys.stdout.buffer.write(str(refusal).encode())
        sys.exit(_REFUSED)
