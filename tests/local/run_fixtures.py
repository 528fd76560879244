"""What every test of real runs begins with: small data, and a manifest for a run of seconds."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_runs import CHANNELS, HELD_OUT, SLOW, STEPS, Make, RunOnDisk, small_manifest

from autolfads_trainer.data.problems import describe, generate, write


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` fills once for all processes that share the tests."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    place = base / name
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "made").exists():
            place.mkdir()
            make(place)
            (place / "made").touch()
    return place


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Lorenz recording: 32 training and 8 validation trials, two channels held out."""

    def make(place: Path) -> None:
        size = {"conditions": 8, "trials": 5, "channels": CHANNELS, "heldout": HELD_OUT}
        arrays = generate("lorenz", 0, **size)
        trials = {name: a[:, :STEPS] if a.ndim == 3 else a for name, a in arrays.items()}
        write(place / "lorenz.h5", trials, describe("lorenz", 0, **size))

    return made_once(tmp_path_factory, "data", make) / "lorenz.h5"


@pytest.fixture
def make_run(tmp_path: Path, data_file: Path) -> Iterator[Make]:
    """Write a manifest for a run of a few seconds; keyword arguments change its spec."""
    made: list[RunOnDisk] = []

    def make(name: str = "small", **changes: Any) -> RunOnDisk:
        manifest = tmp_path / f"{name}.yaml"
        manifest.write_text(yaml.safe_dump(small_manifest(name, data_file, **changes)))
        made.append(RunOnDisk(manifest, tmp_path / f"out-{len(made)}"))
        return made[-1]

    yield make
    for run in made:
        for process in run.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def a_finished_run(
    factory: pytest.TempPathFactory, data: Path, name: str, **spec: Any
) -> RunOnDisk:
    """Return this process's own copy of a run that was made once."""

    def make(place: Path) -> None:
        manifest = place / "small.yaml"
        manifest.write_text(yaml.safe_dump(small_manifest("small", data, **spec)))
        RunOnDisk(manifest, place / "out").finish()

    made = made_once(factory, name, make)
    place = factory.mktemp(f"own-{name}") / "copy"
    shutil.copytree(made, place)
    return RunOnDisk(place / "small.yaml", place / "out")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, data_file: Path) -> RunOnDisk:
    """A run that nobody disturbed, which the others must equal."""
    return a_finished_run(tmp_path_factory, data_file, "finished")


@pytest.fixture(scope="session")
def finished_slow(tmp_path_factory: pytest.TempPathFactory, data_file: Path) -> RunOnDisk:
    """Like `finished`, with generations that last long enough to be disturbed in their midst."""
    return a_finished_run(tmp_path_factory, data_file, "finished-slow", pbt=SLOW)
