"""What a worker can reach from inside its pod: its own run's folder, and the data to read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from installation import USER
from lab import Lab, Run

# Beside it is room for another.
TWO = {"workers": {"count": 2}}
LONG = {**TWO, "pbt": {"generationEpochs": 400, "burnInEpochs": 400, "maxEpochs": 4000}}


@pytest.fixture(scope="module")
def run(lab: Lab) -> Run:
    """A run in training on data from a file, beside a folder of another run."""
    path = lab.volume / "data/jail.h5"
    command = [sys.executable, "-m", "autolfads_operator.cli", "generate", "lorenz", str(path)]
    command += ["--conditions", "4", "--trials", "6", "--channels", "10"]
    subprocess.run(command, check=True, capture_output=True)
    os.chown(path, USER, USER)
    made = lab.run("jailed", data={"path": "jail.h5"}, **LONG)
    made.wait_for("Progressing", "True", "Training", 120)
    yield made
    made.delete()


def inside(run: Run, code: str) -> str:
    """Run Python in a worker's pod; return what it prints, or the error's last line."""
    pod = run.pods()[0]["metadata"]["name"]
    words = ["exec", pod, "--", sys.executable, "-c", code]
    done = run.lab.plane.try_kubectl("--namespace=autolfads", *words)
    return (done.stdout or done.stderr.strip().splitlines()[-2]).strip()


def test_it_sees_its_own_folder_and_the_data_and_nothing_else_of_the_volume(run: Run) -> None:
    seen = json.loads(inside(run, "import os, json; print(json.dumps(os.listdir('/autolfads')))"))
    assert sorted(seen) == ["data", "run"]
    own = json.loads(
        inside(run, "import os, json; print(json.dumps(os.listdir('/autolfads/run')))")
    )
    assert "run.json" in own
    found = inside(
        run,
        "import os\n"
        "roots = ['/autolfads/run/..', '/autolfads/run/../..', '/autolfads/data/..']\n"
        "print([n for r in roots for n in os.listdir(r) if n.startswith('runs')])",
    )
    assert found == "[]"


def test_it_cannot_write_the_data(run: Run) -> None:
    assert "Read-only file system" in inside(run, "open('/autolfads/data/x', 'w')")


def test_it_cannot_write_its_own_programs(run: Run) -> None:
    assert "Read-only file system" in inside(run, "open('/x', 'w')")


def test_it_has_no_token_of_the_cluster(run: Run) -> None:
    told = inside(run, "import os; print(os.path.exists('/var/run/secrets/kubernetes.io'))")
    assert told == "False"


def test_it_has_no_right_that_it_does_not_need(run: Run) -> None:
    status = inside(run, "print(open('/proc/self/status').read())")
    told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(told["CapEff"], 16) == 0
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"
    assert told["Uid"].split()[0] == str(USER)


def test_a_link_out_of_its_folder_leads_the_operator_nowhere(run: Run, lab: Lab) -> None:
    """A worker that replaces its files by links spoils its own run at most."""
    secret = lab.volume / "secret.json"
    secret.write_text(json.dumps({"outcome": "finished", "reason": "SECRET"}))
    other = lab.run("beside-jailed", **TWO)
    folder = run.folder
    workers = folder / "workers"
    for status in workers.glob("*.status.json"):
        status.unlink()
        status.symlink_to(secret)
    attempts = sorted(folder.glob("members/*/gen-001/attempt-*"))
    shutil.rmtree(attempts[0])
    attempts[0].symlink_to(lab.volume)
    other.wait_for("Succeeded", seconds=300)
    assert secret.exists()
    assert "SECRET" not in json.dumps(run.status)
    pod = lab.get("pod", lab.wait_for_operator())
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_a_huge_file_of_a_worker_is_not_read_into_the_operator(run: Run, lab: Lab) -> None:
    for pod in run.pods():
        status = run.folder / "workers" / f"{pod['metadata']['uid']}.status.json"
        status.unlink(missing_ok=True)
        with status.open("wb") as file:
            file.truncate(8 << 30)
    other = lab.run("beside-huge", **TWO)
    other.wait_for("Succeeded", seconds=300)
    pod = lab.get("pod", lab.wait_for_operator())
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
