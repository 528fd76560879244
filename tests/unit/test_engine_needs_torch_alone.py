"""Training and its benchmarks run where there is torch and numpy and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# What is installed here is not on such a machine: only these may be found.
ALONE = """
import importlib.metadata, re, sys

allowed = {"torch", "numpy"}
def plain(name):
    return name.lower().replace("_", "-")
def needed(name):
    for text in importlib.metadata.requires(name) or []:
        if "extra ==" not in text:
            yield plain(re.match(r"[A-Za-z0-9._-]+", text)[0])
packages, left = set(), list(allowed)
while left:
    one = left.pop()
    if one not in packages:
        packages.add(one)
        try:
            left += needed(one)
        except importlib.metadata.PackageNotFoundError:
            pass
of = importlib.metadata.packages_distributions()
def lent(name):
    return all(plain(each) not in packages for each in of.get(name, []))
class Elsewhere:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in of and top not in ("autolfads_trainer",) and lent(top):
            raise ModuleNotFoundError(f"{name}: is not on a machine with torch and numpy alone")
sys.meta_path.insert(0, Elsewhere())
"""


def alone(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ALONE + program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "benchmarks",
    )


def test_other_packages_are_missed() -> None:
    assert "yaml: is not on a machine" in alone("import yaml").stderr


def test_its_benchmarks_need_nothing_else() -> None:
    done = alone("import sys; sys.path.insert(0, '.'); import step, export, products")
    assert done.returncode == 0, done.stderr


def test_a_member_of_the_yardstick_trains_there() -> None:
    program = """
sys.path.insert(0, ".")
import products, yardstick
products.BATCH = products.STEPS = products.OBSERVED = 3
products.CHANNELS = products.HELD_IN = 2
import torch
data = yardstick.dataset(torch.device("cpu"), 6)
member = yardstick.member(data)
member.train(lambda _: False)
print(member.score)
"""
    done = alone(program)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0
