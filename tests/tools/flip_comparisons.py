"""Turn every comparison in `pbt/` round, one at a time, and show that a unit test fails for each.

    python tests/tools/flip_comparisons.py [--file NAME.py] [--tests PATTERN] [--processes N]

Both ways to get a comparison wrong are tried: the opposite (`<` to `>=`) and the edge (`<` to
`<=`). Each flipped copy of the package lies in a temporary folder; a forked child, in which pytest
is loaded already, runs the tests against it. Exit code 0: a test fails for every flip; 1: some
flips go unnoticed, and are listed; 2: the tests fail with nothing flipped.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Loaded once, before the children are forked: that would be most of the time of each run.
import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "operator" / "autolfads_operator" / "pbt"

OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
EDGE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}

# Flips of the edge that cannot change what the code does: (file, what it says, what it would say)
# and the proof. An opposite never belongs here.
EQUIVALENT: dict[tuple[str, str, str], str] = {}

PASSED, FAILED, INTERRUPTED = 0, 1, 2  # of pytest's exit codes; 2 is an error while importing
SECONDS_FOR_A_HANG = 120  # a flip that never ends is noticed, too


@dataclass(frozen=True)
class Flip:
    """One comparison turned round: the file, its line, both texts, and the whole new source."""

    file: str
    line: int
    before: str
    after: str
    is_edge: bool
    source: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: `{self.before}` to `{self.after}`"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.file, self.before, self.after


def flips(path: Path) -> Iterator[Flip]:
    """Yield every flip of every comparison in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        before = ast.unparse(node)
        for place, operator in enumerate(copy.copy(node.ops)):
            for is_edge, table in ((False, OPPOSITE), (True, EDGE)):
                if type(operator) in table:
                    node.ops[place] = table[type(operator)]()
                    after = ast.unparse(node)
                    yield Flip(path.name, node.lineno, before, after, is_edge, ast.unparse(tree))
            node.ops[place] = operator


def lay_out(folder: Path, flip: Flip | None) -> None:
    """Write the package, flipped, where it can be imported under its own name."""
    package = folder / PACKAGE.parent.name
    (package / PACKAGE.name).mkdir(parents=True)
    (package / "__init__.py").touch()
    for path in PACKAGE.glob("*.py"):
        flipped = flip is not None and flip.file == path.name
        source = flip.source if flip and flipped else path.read_text(encoding="utf-8")
        (package / PACKAGE.name / path.name).write_text(source, encoding="utf-8")


def run_tests(folder: Path, tests: Sequence[Path], *, quiet: bool) -> int:
    """Run the tests against the package in `folder`, and return pytest's exit code."""
    sys.path.insert(0, str(folder))
    hypothesis.settings.register_profile(
        "flip",
        max_examples=20,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    hypothesis.settings.load_profile("flip")
    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    options = ["-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-c", os.devnull]
    code = int(pytest.main([*options, f"--rootdir={ROOT}", *map(str, tests)]))
    if code == PASSED and not str(sys.modules["autolfads_operator.pbt"].__file__).startswith(
        str(folder)
    ):
        print("the tests did not import the copy of the package", file=sys.stderr)
        return 70
    return code


def fork_tests(folder: Path, tests: Sequence[Path], *, quiet: bool) -> int:
    """Start `run_tests` in a child and return its process id; its exit code is the tests'."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            signal.alarm(SECONDS_FOR_A_HANG)
            code = run_tests(folder, tests, quiet=quiet)
        finally:
            os._exit(code)
    return child


def unnoticed(waiting: list[Flip], tests: Sequence[Path], folder: Path, processes: int) -> set[str]:
    """Return the flips for which all tests pass, as texts."""
    survivors: set[str] = set()
    running: dict[int, Flip] = {}
    for number, flip in enumerate(waiting):
        lay_out(folder / str(number), flip)
        # Its own file's tests first: they are the likeliest to fail, and the first failure ends it.
        own = f"test_pbt_{Path(flip.file).stem}.py"
        ordered = sorted(tests, key=lambda path: path.name != own)
        running[fork_tests(folder / str(number), ordered, quiet=True)] = flip
        if len(running) >= processes:
            _collect(running, survivors)
    while running:
        _collect(running, survivors)
    return survivors


def _collect(running: dict[int, Flip], survivors: set[str]) -> None:
    child, status = os.wait()
    flip = running.pop(child)
    code = os.waitstatus_to_exitcode(status)
    if code == PASSED:
        survivors.add(str(flip))
    elif code not in (FAILED, INTERRUPTED, -signal.SIGALRM):
        raise RuntimeError(f"{flip}: the tests could not be run: exit code {code}")


def main() -> int:
    """Flip, test and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--file", default="*.py", help="which files of pbt/ to flip (a pattern)")
    parser.add_argument("--tests", default="test_pbt_*.py", help="tests in tests/unit (a pattern)")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    unit = ROOT / "tests" / "unit"
    tests = sorted(unit.glob(arguments.tests))
    found = [flip for path in sorted(PACKAGE.glob(arguments.file)) for flip in flips(path)]
    excused = {flip.key for flip in found if flip.is_edge} & EQUIVALENT.keys()
    if stale := sorted(EQUIVALENT.keys() - excused) if arguments.file == "*.py" else []:
        print("EQUIVALENT lists what is no flip of an edge (any more):", *stale, sep="\n  ")
        return 1

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lay_out(folder / "unchanged", None)
        _, status = os.waitpid(fork_tests(folder / "unchanged", tests, quiet=False), 0)
        if os.waitstatus_to_exitcode(status) != PASSED:
            print("the tests fail with nothing flipped")
            return 2
        to_try = [flip for flip in found if flip.key not in excused]
        survivors = unnoticed(to_try, tests, folder, arguments.processes)
    print(f"{len(to_try)} flips, {len(survivors)} unnoticed by the tests")
    print(*sorted(survivors), sep="\n")
    return 1 if survivors or not to_try else 0


if __name__ == "__main__":
    sys.exit(main())
