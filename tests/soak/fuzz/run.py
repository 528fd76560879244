"""Fuzz every reader of strangers' files: `python tests/soak/fuzz/run.py SECONDS [TARGET…]`.

Each target runs in a process of its own, with little memory, for so many seconds. One line for
each: how often it was tried, and what was found. Exits with 1 where anything was.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TARGETS = ("hdf5_reader", "yaml_reader", "json_records", "checkpoint_reader")
SLOWEST = 25  # seconds that one file may take
MISSING = """\
atheris is missing. It has wheels for Linux x86_64: atheris 3.0.0 for CPython 3.11 to 3.13,
atheris 3.1.0 for CPython 3.12 to 3.14. With one of these: python -m pip install atheris
"""


def fuzz(target: str, seconds: int, kept: Path) -> bool:
    """Run one target; return whether nothing was found."""
    command = [
        *(sys.executable, str(HERE / f"{target}.py"), f"-max_total_time={seconds}"),
        *(f"-timeout={SLOWEST}", "-rss_limit_mb=3000", "-max_len=65536", "-print_final_stats=1"),
        f"-artifact_prefix={kept}/{target}-",
    ]
    ended = subprocess.run(
        command, capture_output=True, text=True, errors="replace", cwd=kept, check=False
    )
    counted = re.findall(r"number_of_executed_units: *(\d+)|^#(\d+)", ended.stderr, re.M)
    tried = max((int(one or other) for one, other in counted), default=0)
    crashes = sorted(kept.glob(f"{target}-*"))
    good = ended.returncode == 0 and not crashes and tried > 0
    print(f"{target}: {tried} executions, {len(crashes)} crashes, exit {ended.returncode}")
    if not good:
        print("\n".join(ended.stderr.splitlines()[-40:]))
    for crash in crashes:
        print(f"  kept: {crash}")
    return good


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("seconds", type=int)
    options.add_argument("targets", nargs="*", default=TARGETS, metavar="TARGET")
    given = options.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(MISSING, end="")
        return 2
    kept = Path(tempfile.mkdtemp(prefix="autolfads-fuzz-"))
    found = [target for target in given.targets if not fuzz(target, given.seconds, kept)]
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
