"""A run never has more on its disk than it said before it started, whatever happens to it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from real_runs import Make
from test_nothing_is_lost import workers_in

from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.disk_use import Plan, one_file, results
from autolfads_trainer.records import Run

LOOK_EVERY = 0.05  # seconds
KILLS = 2
# Long enough for these.
PBT = {"burnInEpochs": 8, "generationEpochs": 8, "maxEpochs": 24, "patience": 9}


@dataclass
class Watch:
    """The most that was seen in a folder at once, in whole blocks."""

    root: Path
    bytes: int = 0
    files: int = 0
    large: int = 0  # bytes of checkpoints and results
    checkpoints: int = 0
    looks: int = 0

    def look(self) -> None:
        sizes = dict(_below(str(self.root)))
        self.looks += 1
        self.bytes = max(self.bytes, sum(one_file(size).bytes for size in sizes.values()))
        self.files = max(self.files, len(sizes))
        large = (
            one_file(size).bytes
            for name, size in sizes.items()
            if ".ckpt" in name or "/results/" in name
        )
        self.large = max(self.large, sum(large))
        saved = sum(".ckpt" in name and "/members/" in name for name in sizes)
        self.checkpoints = max(self.checkpoints, saved)


def _below(folder: str) -> Iterator[tuple[str, int]]:
    """Yield every name below a folder with its size; what is gone by then is left out."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        try:
            yield entry.path, entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path)


@contextmanager
def watched(root: Path) -> Iterator[Watch]:
    watch, over = Watch(root), threading.Event()

    def go_on() -> None:
        while not over.wait(LOOK_EVERY):
            watch.look()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
        watch.look()


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_disk_use_stays_within_its_bound(make_run: Make, mode: str) -> None:
    made = make_run(pbt=PBT | {"mode": mode})
    with watched(made.root) as watch:
        process = made.start("--save-every", "0.05", "--workers", "3")
        until = time.monotonic() + 300
        killed = 0
        while process.poll() is None:
            assert time.monotonic() < until, "did not end"
            time.sleep(0.1)
            at_work = [
                number
                for number, status in workers_in(made.root).items()
                if status.task is not None and status.saved is not None
            ]
            if at_work and killed < KILLS:
                how = signal.SIGTERM if killed % 2 else signal.SIGKILL
                os.kill(at_work[killed % len(at_work)], how)
                killed += 1
                time.sleep(0.4)
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    assert killed == KILLS
    endings = [outcome["outcome"] for outcome in made.outcomes()]
    assert endings.count("finished") == 12
    assert len(endings) > 12

    run = made.folder.run()
    assert isinstance(run, Run)
    assert run.disk is not None
    plan = Plan(
        configuration=run.configuration,
        data=read_recording(Path(run.data.path)).sizes,
        mode=mode,
        data_bytes=Path(run.data.path).stat().st_size,
        generated=False,
        texts=10_000,
    )
    large = (one_file(plan.checkpoint) * plan.checkpoints + results(plan)).bytes
    assert any("of disk" in note for note in run.notes)
    assert watch.looks > 100
    assert watch.bytes <= run.disk.bytes
    assert watch.files <= run.disk.files
    # Most of it is room for logs in so small a run; so what grows is held to its own part.
    assert watch.checkpoints <= plan.checkpoints
    assert watch.large <= large <= 8 * watch.large
