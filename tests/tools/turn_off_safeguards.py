"""Turn off every safeguard, one at a time, and show that a test fails for each.

    python tests/tools/turn_off_safeguards.py [--name PART] [--processes N] [--trusted]

Both packages are copied, with one safeguard turned off (`safeguards.py`), and a forked child, in
which torch and pytest are loaded already, runs the test named there against the copy. Exit code 0:
the test fails for each; 1: some go unnoticed, and are listed; 2: one fails with nothing changed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Loaded once, before the children are forked: that would be most of the time of each run.
import h5py  # noqa: F401
import hypothesis
import pydantic  # noqa: F401
import pytest
import torch
import yaml  # noqa: F401
from safeguards import OPERATOR, SAFEGUARDS, TRAINER, Safeguard

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests" / "unit"
PASSED, FAILED, INTERRUPTED = 0, 1, 2  # of pytest's exit codes; 2 is an error while importing
SECONDS_FOR_A_HANG = 120  # a run without a safeguard may hang; that is noticed, too
NOTHING = "nothing turned off"
EACH = 10  # of the tests, where they are trusted
SECONDS_FOR_ALL = 900  # of the tests with nothing turned off


class Trial(NamedTuple):
    """A child that runs tests: where its copy lies, what is turned off in it, when it began."""

    folder: Path
    off: Safeguard | None
    began: float


def lay_out(folder: Path, off: Safeguard | None) -> None:
    """Copy both packages, one safeguard turned off. Raises `ValueError` without its text."""
    for package in (OPERATOR, TRAINER):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    if off is not None:
        source = (folder / off.file).read_text()
        if source.count(off.text) != 1:
            times = source.count(off.text)
            raise ValueError(f"{off.name}: its text stands {times} times in {off.file}; expected 1")
        (folder / off.file).write_text(source.replace(off.text, off.without))


def run_tests(folder: Path, tests: Sequence[str]) -> int:
    """Run the tests against the copy in `folder`, and return pytest's exit code."""
    places = [str((folder / package).parent) for package in (OPERATOR, TRAINER)]
    sys.path[:0] = places
    os.environ["PYTHONPATH"] = os.pathsep.join(places)  # for processes that tests start
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    hypothesis.settings.register_profile(
        "off",
        max_examples=25,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    hypothesis.settings.load_profile("off")
    torch.set_num_threads(1)
    options = ["-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-c", os.devnull]
    options += ["-o", f"pythonpath={UNIT}", f"--rootdir={ROOT}", f"--basetemp={folder / 'tests'}"]
    code = int(pytest.main([*options, *(str(UNIT / test) for test in tests)]))
    for name in ("autolfads_operator", "autolfads_trainer"):
        module = sys.modules.get(name)
        if code == PASSED and module and not str(module.__file__).startswith(str(folder)):
            print(f"the tests did not import the copy of {name}", file=sys.stderr)
            return 70
    return code


def fork_tests(folder: Path, tests: Sequence[str], seconds: int) -> int:
    """Start `run_tests` in a child and return its process id; what it prints goes to a file."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 70
        with contextlib.suppress(BaseException):
            printed = os.open(folder / "printed", os.O_WRONLY | os.O_CREAT)
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            os.setpgid(0, 0)
            signal.alarm(seconds)
            code = run_tests(folder, tests)
        os._exit(code)
    return child


def collect(running: dict[int, Trial]) -> tuple[Safeguard | None, bool, float]:
    """Wait for one child; return its safeguard, whether its tests passed, and its seconds."""
    child, status = os.wait()
    folder, off, began = running.pop(child)
    code = os.waitstatus_to_exitcode(status)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a test that failed left behind
    name = off.name if off else NOTHING
    if code not in (PASSED, FAILED, INTERRUPTED, -signal.SIGALRM):
        raise RuntimeError(f"{name}: exit code {code}\n{(folder / 'printed').read_text()}")
    if off is None and code != PASSED:
        print((folder / "printed").read_text())
    shutil.rmtree(folder, ignore_errors=True)
    return off, code == PASSED, time.monotonic() - began


def main() -> int:
    """Turn off, test and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--name", default="", help="only safeguards whose name has this in it")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--trusted",
        action="store_true",
        help="the tests are known to pass with nothing turned off: try a few of them only",
    )
    parser.add_argument("--list", action="store_true", help="only name them")
    arguments = parser.parse_args()
    chosen = [guard for guard in SAFEGUARDS if arguments.name in guard.name]
    if arguments.list:
        print(*(guard.name for guard in chosen), sep="\n")
        return 0
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    tests = sorted({guard.test for guard in chosen})
    tests = tests[::EACH] if arguments.trusted else tests
    unnoticed: list[str] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        running: dict[int, Trial] = {}
        waiting = [(None, tests), *((guard, [guard.test]) for guard in chosen)]
        for number, (off, named) in enumerate(waiting):
            folder = Path(temporary) / str(number)
            lay_out(folder, off)
            seconds = SECONDS_FOR_A_HANG if off else SECONDS_FOR_ALL
            running[fork_tests(folder, named, seconds)] = Trial(folder, off, time.monotonic())
            while len(running) >= (arguments.processes if number < len(waiting) - 1 else 1):
                guard, passed, took = collect(running)
                print(f"{took:5.1f} s  {guard.name if guard else NOTHING}", flush=True)
                if guard is None and not passed:
                    print("the tests fail with nothing turned off")
                    return 2
                if guard is not None and passed:
                    unnoticed.append(guard.name)
    print(f"{len(chosen)} safeguards turned off, {len(unnoticed)} unnoticed by the tests")
    print(*unnoticed, sep="\n")
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
