"""Real runs on this machine: the command line, its controller, its workers, small data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from autolfads_trainer.data.problems import describe, generate, write
from autolfads_trainer.store import RunFolder

CHANNELS, HELD_OUT, STEPS = 8, 2, 12
SLOW = {"burnInEpochs": 25, "generationEpochs": 25, "maxEpochs": 75, "patience": 9}


@dataclass
class RunOnDisk:
    """A manifest and the folder that its run goes to."""

    manifest: Path
    root: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.root)

    def command(self, *options: str) -> list[str]:
        run = ["run", str(self.manifest), "--out", str(self.root)]
        return [sys.executable, "-m", "autolfads_operator.cli", *run, *options]

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start `autolfads run` and return at once."""
        process = subprocess.Popen(
            self.command("--device", "cpu", "--workers", "2", *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def finish(self, *options: str, expect: int = 0) -> str:
        """Run to the end and return what was printed."""
        process = self.start(*options)
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == expect, printed
        return printed

    def orders(self) -> dict[str, str]:
        """Return the text of every order, by its path below the folder."""
        found = self.root.glob("members/*/gen-*/order.json")
        return {str(path.relative_to(self.root)): path.read_text() for path in sorted(found)}

    def fitlog(self) -> bytes:
        return (self.root / "results/fitlog.csv").read_bytes()

    def outcomes(self) -> list[dict[str, Any]]:
        found = sorted(self.root.glob("members/*/gen-*/attempt-*/outcome.json"))
        return [yaml.safe_load(path.read_text()) for path in found]


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Lorenz recording: 32 training and 8 validation trials, two channels held out."""
    path = tmp_path_factory.mktemp("data") / "lorenz.h5"
    size = {"conditions": 8, "trials": 5, "channels": CHANNELS, "heldout": HELD_OUT}
    arrays = generate("lorenz", 0, **size)
    trials = {name: a[:, :STEPS] if a.ndim == 3 else a for name, a in arrays.items()}
    write(path, trials, describe("lorenz", 0, **size))
    return path


Make = Callable[..., RunOnDisk]


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


def small_manifest(name: str, path: Path, /, **changes: Any) -> dict[str, Any]:
    """Return a manifest with 4 members, 3 generations and a very small model."""
    spec: dict[str, Any] = {
        "data": {"path": str(path)},
        "population": 4,
        "seed": 5,
        "pbt": {"burnInEpochs": 3, "generationEpochs": 2, "maxEpochs": 7},
        "export": {"posteriorSamples": 3},
        "config": {
            "model": {
                **dict.fromkeys(("ic_enc_dim", "ci_enc_dim", "con_dim", "ic_dim"), 6),
                **{"gen_dim": 8, "fac_dim": 4, "co_dim": 1},
            },
            "datamodule": {"batch_size": 16},
        },
        **changes,
    }
    return {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": {"name": name},
        "spec": spec,
    }


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


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep numerical libraries of the test process itself from taking all cores."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    assert os.environ["OMP_NUM_THREADS"] == "1"
