"""Mount a folder as a volume with faults, and set them.

    with mounted(source, tmp_path / "volume") as volume:
        volume.faults([{"op": "fsync", "path": "*.ckpt", "errno": "EIO", "times": 1}])
        ...  # what is under test works in volume.path
        assert volume.hits() == [1]

Where the kernel retries by itself a rule is met more often: ESTALE of a name is asked for twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import callers
import pytest
from fault_rules import read_rules

PROGRAM = Path(__file__).with_name("volume.py")
_PATIENCE_SECONDS = 60

# What a disk does that is full to the last byte, and one that went read-only.
NO_SPACE = {"op": "growth", "errno": "ENOSPC"}
READ_ONLY = {"op": "changes", "errno": "EROFS"}


def need_fuse() -> None:
    """Skip the test where no file system can be mounted."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("no FUSE here: /dev/fuse is missing or closed")
    if shutil.which("fusermount3") is None:
        pytest.skip("no FUSE here: there is no fusermount3")


def need_callers() -> None:
    """Skip the test where a link that overwrites cannot be played."""
    if not callers.can_be_seen():
        pytest.skip("only root can see in /proc which call a lookup belongs to")


class Call(NamedTuple):
    """A call that met a rule."""

    rule: int
    op: str
    path: str


class Volume:
    """One mount: `path` is where it is seen, `source` the folder that it shows."""

    def __init__(self, source: Path, path: Path, see_late: float, cache: float) -> None:
        self.source, self.path = source, path
        self._file = path.with_name(f"{path.name}.faults.json")
        self._log = path.with_name(f"{path.name}.faults.json.log")
        self._errors = path.with_name(f"{path.name}.stderr")
        self._version = 0
        self._rules: list[dict[str, Any]] = []
        path.mkdir(exist_ok=True)
        self._write([])
        lag = ["--see-late", str(see_late), "--cache", str(cache)]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, PROGRAM, source, path, "--faults", self._file, *lag],
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for the tests, which then unmount
            )
        try:
            self._wait(lambda: os.path.ismount(path), "mount")
        except BaseException:
            self.unmount()
            raise

    def faults(self, rules: list[dict[str, Any]]) -> None:
        """Put `rules` in place of those before; all calls from now on meet them."""
        read_rules(rules)  # a slip is told here
        self._write(rules)
        mine = {"version": self._version}
        self._wait(lambda: mine in self._told(), "take the rules")

    def clear(self) -> None:
        """Be a good disk again; what hangs goes on."""
        self.faults([])

    def calls(self) -> list[Call]:
        """Return the calls that met one of the rules, in order."""
        return [
            Call(line["rule"], line["op"], line["path"])
            for line in self._told()
            if "rule" in line and line["version"] == self._version
        ]

    def hits(self) -> list[int]:
        """Return for each rule how many calls it met."""
        met = [call.rule for call in self.calls()]
        return [met.count(number) for number in range(len(self._rules))]

    def wait_for_hit(self, rule: int = 0) -> None:
        """Wait until a rule was met: a call hangs there now, for example."""
        self._wait(lambda: self.hits()[rule] > 0, f"meet rule {rule}")

    def unmount(self) -> None:
        """Take the volume away, whoever uses it still: they get errors."""
        with contextlib.suppress(OSError, RuntimeError):
            if self._process.poll() is None:
                self._write([])
        subprocess.run(
            ["fusermount3", "-u", "-z", "--", self.path], check=False, stderr=subprocess.DEVNULL
        )
        # Files that are still open keep the mount, but without the program each call on it fails.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        self._process.kill()
        self._process.wait()

    def _write(self, rules: list[dict[str, Any]]) -> None:
        self._version += 1
        self._rules = rules
        partial = self._file.with_suffix(".tmp")
        partial.write_text(json.dumps({"version": self._version, "faults": rules}))
        partial.replace(self._file)

    def _told(self) -> list[dict[str, Any]]:
        whole, _, _ = self._log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not reached():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the volume did not {what}:\n{self._errors.read_text()}")
            time.sleep(0.005)


@contextlib.contextmanager
def mounted(
    source: Path, mountpoint: Path, see_late: float = 0, cache: float = 0
) -> Iterator[Volume]:
    """Show `source` at `mountpoint`; see `volume` for what the seconds mean."""
    need_fuse()
    volume = Volume(source, mountpoint, see_late, cache)
    try:
        yield volume
    finally:
        volume.unmount()
