"""Where only the operator is installed, torch is missing: that is said, and the rest works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from real_runs import RunOnDisk

BLOCK = """
import sys
from importlib.abc import MetaPathFinder

class Block(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'h5py', 'numpy', 'scipy', 'matplotlib'):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Block())
sys.argv = ['autolfads', *sys.argv[1:]]
from autolfads_operator.cli import main
main()
"""


def autolfads(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCK, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_trainers_commands_are_absent() -> None:
    shown = autolfads("--help")
    assert shown.returncode == 0, shown.stderr
    assert "status" in shown.stdout
    assert "generate" not in shown.stdout


def test_asking_for_one_says_why() -> None:
    answer = autolfads("generate", "lorenz", "out.h5")
    assert answer.returncode == 2
    assert "torch" in answer.stderr
    assert "pip install 'autolfads[trainer]'" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_run_here_says_what_it_needs(tmp_path: Path) -> None:
    answer = autolfads("run", str(tmp_path / "run.yaml"))
    assert answer.returncode == 2
    assert "need the trainer" in answer.stderr


def test_status_needs_no_trainer(finished: RunOnDisk) -> None:
    shown = autolfads("status", str(finished.root))
    assert shown.returncode == 0, shown.stderr
    assert "succeeded" in shown.stdout


def test_nothing_of_the_controller_imports_torch() -> None:
    code = (
        "import sys, autolfads_operator.cli, autolfads_operator.local_run, autolfads_trainer.store;"
        "print([m for m in ('torch', 'h5py', 'numpy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
