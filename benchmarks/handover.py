"""Seconds from the last outcome of a generation to the next tasks, in a real run: `handover.py`

Read off the times of the files: from the last `outcome.json` of a generation to the `task.json` by
which the last free worker gets something to do. A worker looks for it every 20 ms.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MANIFEST = """
apiVersion: autolfads.io/v1alpha1
kind: AutoLFADSRun
metadata: {{name: handover}}
spec:
  data: {{generate: {{problem: lorenz, seed: 0, conditions: 4, trials: 5, channels: 8}}}}
  population: {population}
  seed: 0
  pbt: {{burnInEpochs: 1, generationEpochs: 1, maxEpochs: {generations}, patience: 1000}}
  export: {{posteriorSamples: 1}}
  config:
    model:
      {{gen_dim: 8, fac_dim: 4, ic_enc_dim: 4, ci_enc_dim: 4, con_dim: 4, co_dim: 1, ic_dim: 4}}
    datamodule: {{batch_size: 16}}
"""


def handovers(root: Path, generations: int, workers: int) -> list[float]:
    """Return the seconds between each generation and the next of the run in `root`."""
    seconds = []
    for generation in range(1, generations):
        ended = _times(root, generation, "outcome.json")[-1]
        given = _times(root, generation + 1, "task.json")[:workers]
        seconds.append((given[-1] - ended) / 1e9)
    return seconds


def _times(root: Path, generation: int, name: str) -> list[int]:
    found = root.glob(f"members/*/gen-{generation:03d}/attempt-*/{name}")
    return sorted(path.stat().st_mtime_ns for path in found)


def main() -> None:
    """Make a run and measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--population", type=int, default=16)
    parser.add_argument("--generations", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        manifest, root = Path(scratch) / "run.yaml", Path(scratch) / "out"
        manifest.write_text(
            MANIFEST.format(population=arguments.population, generations=arguments.generations)
        )
        command = ["run", str(manifest), "--out", str(root), "--workers", str(arguments.workers)]
        subprocess.run(
            [sys.executable, "-m", "autolfads_operator.cli", *command],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = handovers(root, arguments.generations, arguments.workers)
    print(
        f"hand-over, {arguments.population} members on {arguments.workers} workers: "
        f"median {statistics.median(seconds) * 1000:.0f} ms, "
        f"worst {max(seconds) * 1000:.0f} ms ({len(seconds)} generations)"
    )


if __name__ == "__main__":
    main()
