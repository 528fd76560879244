"""A real run: its manifest, its folder, and the command that makes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from autolfads_trainer.store import RunFolder

CHANNELS, HELD_OUT, STEPS = 8, 2, 12
EPOCHS = 12  # of a generation that lasts long enough to be disturbed in its midst
SLOW = {
    **{"burnInEpochs": EPOCHS, "generationEpochs": EPOCHS, "maxEpochs": 3 * EPOCHS},
    "patience": 9,
}


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


Make = Callable[..., RunOnDisk]


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
