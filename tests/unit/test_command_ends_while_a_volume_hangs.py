"""Ctrl-C ends the command also while its calls to a dead volume do not come back."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ledger_examples import OWNER, Mini, without_syncing
from played_pool import played

from autolfads_operator import local_run
from autolfads_operator.local_run import Interrupted, Settings, run_here
from autolfads_trainer.store import RunFolder

HANGS = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
from autolfads_operator import cli
from autolfads_operator.local_run import Interrupted

def wake():
    time.sleep(8)
    print("it came back", flush=True)

def hangs(*_, **__):
    ThreadPoolExecutor(1).submit(wake)
    raise Interrupted

cli.commands.main = hangs
cli.main()
"""


def test_the_process_does_not_wait_for_calls_that_hang() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=120, check=False
    )
    assert "it came back" not in done.stdout
    assert done.returncode == 130
    assert "interrupted; the same command goes on with the run" in done.stderr


def test_a_run_that_cannot_be_read_for_a_dead_volume_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = threading.Event()

    def hangs(*_: object) -> None:
        reading.set()
        time.sleep(6)

    def interrupt() -> None:
        reading.wait(60)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(local_run, "Controller", hangs)
    (tmp_path / "run").mkdir()
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(Interrupted):
        run_here(RunFolder(tmp_path / "run"), OWNER, Settings(1, device="cpu"), lambda *_: None)


READS = """
import time
from autolfads_trainer import store
real = store.read

def hangs(path, kind, *most):
    if path.name == "order.json":  # read side by side
        print("hangs", flush=True)
        time.sleep(300)
    return real(path, kind, *most)

store.read = hangs
from autolfads_operator import cli
cli.main()
"""


@pytest.mark.parametrize("command", ["status", "replay", "history"])
def test_a_command_that_looks_at_a_run_is_ended_by_one_ctrl_c(command: str, tmp_path: Path) -> None:
    with without_syncing():
        played(tmp_path, Mini(population=2, generations=2))
    process = subprocess.Popen(
        [sys.executable, "-c", READS, command, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        while "hangs" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=100) == 130
    finally:
        process.kill()


LOADS = """
import os, signal, sys

class Interrupts:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
from autolfads_operator.entry import main
main()
"""


@pytest.mark.parametrize("module", ["autolfads_operator.cli", "click", "autolfads_trainer.store"])
def test_a_command_can_be_stopped_while_it_loads(module: str) -> None:
    command = [sys.executable, "-c", LOADS.format(module=module), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "autolfads: interrupted; the same command does it\n"
