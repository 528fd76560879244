"""See that the parts that a run's survival depends on are covered: `check_coverage.py REPORT.json`

Branch coverage of `pbt/`, `controller/`, and of the run directory must be at least 95 % each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LEAST = 95.0
PARTS = (
    "autolfads_operator/pbt/",
    "autolfads_operator/controller/",
    "autolfads_trainer/store.py",
    "autolfads_trainer/disk.py",
    "autolfads_trainer/folders.py",
    "autolfads_trainer/places.py",
    "autolfads_trainer/publishing.py",
)


def main(report: Path) -> int:
    """Print the share of lines and branches covered in each part; return the exit code."""
    files = json.loads(report.read_text())["files"]
    good = True
    for part in PARTS:
        sums = [entry["summary"] for name, entry in files.items() if part in name]
        covered = sum(s["covered_lines"] + s["covered_branches"] for s in sums)
        total = sum(s["num_statements"] + s["num_branches"] for s in sums)
        share = 100 * covered / total if total else 0.0
        good = good and share >= LEAST
        print(f"{part:40s} {share:6.2f} %  (at least {LEAST:g})")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
