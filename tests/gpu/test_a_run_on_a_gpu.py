"""A whole run on a GPU, and one that is killed again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from real_runs import SLOW, Make, RunOnDisk
from test_nothing_is_lost import assert_same_run, in_the_midst_of, wait_for, workers_in


def begin(run: RunOnDisk, *options: str) -> subprocess.Popen[str]:
    """Start a run, of which no option names a device or says how many workers."""
    process = subprocess.Popen(run.command(*options), stdout=subprocess.PIPE, text=True)
    run.processes.append(process)
    return process


def has_a_gpu_open(process: int) -> bool:
    """Return whether a process holds the device of an NVIDIA GPU, as a CUDA context does."""
    files = Path(f"/proc/{process}/fd").iterdir()
    return any(str(file.readlink()).startswith("/dev/nvidia") for file in files)


def ends(process: subprocess.Popen[str]) -> None:
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed


def is_right(run: RunOnDisk) -> bool:
    replay = [sys.executable, "-m", "autolfads_operator.cli", "replay", str(run.root)]
    return subprocess.run(replay, check=False, timeout=60).returncode == 0


@pytest.fixture
def calm(make_run: Make) -> RunOnDisk:
    """A run that nobody disturbed."""
    run = make_run("small", pbt=SLOW)
    process = begin(run)
    wait_for(lambda: in_the_midst_of(run.root, 1) != [])
    (worker,) = workers_in(run.root)  # which trains all members
    assert has_a_gpu_open(worker)
    ends(process)
    return run


def test_what_is_killed_on_a_gpu_goes_on_to_the_same_results(
    calm: RunOnDisk, make_run: Make
) -> None:
    run = make_run("small", pbt=SLOW)
    process = begin(run, "--save-every", "0.5")
    wait_for(lambda: in_the_midst_of(run.root, 1) != [])
    os.kill(in_the_midst_of(run.root, 1)[0], signal.SIGKILL)
    wait_for(lambda: in_the_midst_of(run.root, 2) != [])
    os.kill(in_the_midst_of(run.root, 2)[0], signal.SIGTERM)
    wait_for(lambda: in_the_midst_of(run.root, 3) != [])
    process.kill()
    process.wait()
    ends(begin(run))
    endings = {outcome["outcome"] for outcome in run.outcomes()}
    assert endings >= {"finished", "saved", "abandoned"}
    assert_same_run(run, calm)
    assert is_right(run)
    with zipfile.ZipFile(run.root / "results/autolfads.zip") as archive:
        assert archive.testzip() is None


def test_a_run_that_was_stopped_on_a_gpu_goes_on_without_one(make_run: Make) -> None:
    """What was saved in mid-generation cannot be gone on with there, which is nobody's fault."""
    run = make_run("small", pbt=SLOW)
    process = begin(run)
    wait_for(lambda: in_the_midst_of(run.root, 2) != [])
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    ends(begin(run, "--device", "cpu"))
    damaged = [outcome for outcome in run.outcomes() if outcome.get("damaged")]
    assert damaged
    assert all("another kind of device" in outcome["reason"] for outcome in damaged)
    assert is_right(run)
