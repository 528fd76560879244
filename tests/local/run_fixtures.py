"""What every test of real runs begins with: small data, and a manifest for a run of seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_runs import CHANNELS, HELD_OUT, SLOW, STEPS, Make, RunOnDisk, small_manifest

from autolfads_trainer.data.problems import describe, generate, write


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Lorenz recording: 32 training and 8 validation trials, two channels held out."""
    path = tmp_path_factory.mktemp("data") / "lorenz.h5"
    size = {"conditions": 8, "trials": 5, "channels": CHANNELS, "heldout": HELD_OUT}
    arrays = generate("lorenz", 0, **size)
    trials = {name: a[:, :STEPS] if a.ndim == 3 else a for name, a in arrays.items()}
    write(path, trials, describe("lorenz", 0, **size))
    return path


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


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, data_file: Path) -> RunOnDisk:
    """A run that nobody disturbed, which the others must equal."""
    place = tmp_path_factory.mktemp("finished")
    manifest = place / "small.yaml"
    manifest.write_text(yaml.safe_dump(small_manifest("small", data_file)))
    run = RunOnDisk(manifest, place / "out")
    run.finish()
    return run


@pytest.fixture(scope="session")
def finished_slow(tmp_path_factory: pytest.TempPathFactory, data_file: Path) -> RunOnDisk:
    """Like `finished`, with generations that last long enough to be disturbed in their midst."""
    place = tmp_path_factory.mktemp("finished-slow")
    manifest = place / "small.yaml"
    manifest.write_text(yaml.safe_dump(small_manifest("small", data_file, pbt=SLOW)))
    run = RunOnDisk(manifest, place / "out")
    run.finish()
    return run
