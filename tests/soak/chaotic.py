"""An AutoLFADS run of four members on the chaotic network: how near the rates come.

Fails below R² = 0.90 to the true rates of the validation trials. Published: LFADS 0.869, NDT 0.846.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

LEAST = 0.90
MANIFEST = Path(__file__).with_name("chaotic.yaml")


def main() -> None:
    """Run it as users do, and say what came of it."""
    program = Path(sys.executable).with_name("autolfads")
    with TemporaryDirectory() as folder:
        root = Path(folder) / "run"
        subprocess.run([program, "run", MANIFEST, "--out", root], check=True)
        summary = json.loads((root / "results/summary.json").read_text())
    told = ("r2", "bps", "epochs", "generations", "seconds")
    print(json.dumps({name: summary[name] for name in told}))
    assert summary["r2"] >= LEAST, summary["r2"]


if __name__ == "__main__":
    main()
