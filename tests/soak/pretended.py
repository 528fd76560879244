"""A control plane whose nodes, kubelets and workers are pretended, with the real operator.

A real API server, scheduler and Job controller; nodes and kubelets pretended by KWOK; the operator
as a process with the rights that deploy/operator.yaml gives it. What workers do is played by this
process, which writes honest run-directory files: see tests/unit/played_pool.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/unit"), str(ROOT / "tests/cluster")]

import installation  # noqa: E402
from kube.control_plane import Address, ControlPlane, free_ports  # noqa: E402
from kube.credentials import write_kubeconfig  # noqa: E402
from kube.daemons import Daemons  # noqa: E402
from kube.flows import counted, flow_schema, service_account  # noqa: E402
from kube.kwok import add_pretended_node, start_kwok  # noqa: E402
from ledger_examples import Mini  # noqa: E402
from played_pool import PlayedPool, _Worker  # noqa: E402

NAMESPACE = installation.NAMESPACE
FLOW = "autolfads-operator"
PODS_OF_A_NODE = 250
TICK = 0.5  # seconds between steps of all played workers
COLUMNS = (
    "U:.metadata.uid,N:.metadata.name,P:.status.phase,D:.metadata.deletionTimestamp,"
    "R:.metadata.labels.autolfads\\.io/run-uid,T:.metadata.labels.autolfads\\.io/run-name"
)


class Played(PlayedPool):
    """The workers of one run: those whose pods run."""

    def __init__(self, root: Path, mini: Mini, number: int) -> None:
        def score(member: int, generation: int, _attempt: int) -> float:
            return 1.0 - 0.01 * generation + 0.001 * ((member * 7 + number) % 13)

        super().__init__(root, mini, plays=score)
        self.names: dict[str, str] = {}  # of pods, by life

    def have(self, life: str, name: str) -> None:
        """A pod runs now."""
        if life not in self.names:
            self.names[life] = name
            self.workers[life] = _Worker(self, life).live()

    def lose(self, life: str) -> None:
        """A pod is gone."""
        self.workers.pop(life, None)

    def step_all(self) -> list[str]:
        """Let all go on; return the names of the pods whose worker has ended."""
        before = set(self.workers)
        self.step()
        return [self.names[life] for life in before - set(self.workers)]


@dataclass
class Fleet:
    """All played workers, kept in step with the pods."""

    volume: Path
    mini: Mini
    runs: dict[str, Played] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def watch(self, plane: ControlPlane) -> None:
        """Read what happens to pods, in a thread."""
        words = ("get", "pods", "-n", NAMESPACE, "--watch", "--no-headers")
        command = plane.kubectl_command(*words, "-o", f"custom-columns={COLUMNS}")
        while True:  # the API server ends a watch that does not keep up
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            for line in process.stdout:
                self.lines.append(line)
            time.sleep(1)

    def take_news(self) -> None:
        """Take what the watch has brought."""
        lines, self.lines = self.lines, []
        for line in lines:
            life, name, phase, deleted, run, run_name = line.split()
            if run not in self.runs:
                folder = self.volume / "runs" / NAMESPACE / f"{run_name}-{run}"
                self.runs[run] = Played(folder, self.mini, len(self.runs))
            if phase in ("Succeeded", "Failed") or deleted != "<none>":
                self.runs[run].lose(life)
            elif phase == "Running":
                self.runs[run].have(life, name)

    def step(self) -> None:
        """Let all workers go on a little."""
        for run in self.runs.values():
            self.ended += run.step_all()


async def let_pods_end(fleet: Fleet, stop: threading.Event) -> None:
    """Have KWOK end the pods whose worker has ended."""
    # Here and not above: where the cluster is, is read as this is loaded.
    from autolfads_operator.cluster.client import PODS, ApiError, Client

    async with Client(NAMESPACE) as client:
        while not stop.is_set():
            names, fleet.ended = fleet.ended, []
            for name in names:
                try:
                    await client.patch(PODS, name, {"metadata": {"annotations": {"sim/exit": "0"}}})
                except ApiError as error:
                    if error.status != 404:
                        fleet.ended.append(name)
            await asyncio.sleep(0.2)


def start_plane(folder: Path, nodes: int) -> ControlPlane:
    """Start a control plane, pretended nodes and all that the operator needs but itself."""
    daemons = Daemons(folder / "logs")
    plane = ControlPlane(folder / "plane", Address("127.0.0.1", free_ports(1)[0]), daemons)
    plane.start()
    start_kwok(plane)
    account = service_account(NAMESPACE, "autolfads-operator")
    plane.apply(installation.crd(), flow_schema(FLOW, "workload-high", account))
    first, *rest = installation.operator_objects()
    plane.apply(first)
    plane.apply(*[each for each in rest if each["kind"] != "Deployment"])
    volume = installation.machine.volume_and_claim(installation.CLAIM, folder, NAMESPACE)
    plane.apply(*volume)
    for number in range(nodes):
        room = {"cpu": "4000", "memory": "40000Gi", "nvidia.com/gpu": str(PODS_OF_A_NODE)}
        add_pretended_node(plane, f"node-{number}", **room)
    plane.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")
    return plane


@dataclass
class Stage:
    """All that is pretended, and the folders it is in."""

    folder: Path
    volume: Path
    plane: ControlPlane
    fleet: Fleet


@contextlib.contextmanager
def staged(mini: Mini, nodes: int) -> Iterator[Stage]:
    """Start everything but the operator; at the end, stop and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="autolfads-pretended-"))
    volume = installation.make_volume(folder / "volume")
    plane = start_plane(folder, nodes)
    os.environ["KUBECONFIG"] = str(plane.kubeconfig)
    fleet, stop = Fleet(volume, mini), threading.Event()

    def end_pods() -> None:
        asyncio.run(let_pods_end(fleet, stop))

    threading.Thread(target=fleet.watch, args=[plane], daemon=True).start()
    threading.Thread(target=end_pods, daemon=True).start()
    try:
        yield Stage(folder, volume, plane, fleet)
    finally:
        stop.set()
        plane.stop()
        shutil.rmtree(folder, ignore_errors=True)


def operator_kubeconfig(stage: Stage) -> Path:
    """Return a kubeconfig with the ServiceAccount's own rights."""
    plane = stage.plane
    words = ("create", "token", "autolfads-operator", "-n", NAMESPACE, "--duration=10h")
    token = plane.kubectl(*words).strip()
    path = stage.folder / "operator.kubeconfig"
    server = str(plane.address)
    write_kubeconfig(path, server, plane.credentials.authority, {"token": token})
    return path


def start_operator(stage: Stage, *more: str, log: str = "operator.log") -> subprocess.Popen[bytes]:
    """Start the operator as a process here, with `more` options; `log` is in the stage's folder."""
    command = [sys.executable, "-m", "autolfads_operator.cli", "operator", "--log", "json"]
    command += [
        "--namespace",
        NAMESPACE,
        "--root",
        str(stage.volume),
        "--claim",
        installation.CLAIM,
    ]
    command += ["--image", "trainer:1", "--port", str(free_ports(1)[0])]
    command += more
    file = (stage.folder / log).open("ab")
    return subprocess.Popen(
        command,
        env={**os.environ, "KUBECONFIG": str(operator_kubeconfig(stage))},
        stdout=file,
        stderr=file,
    )


def requests(plane: ControlPlane) -> float:
    """Return how many requests the operator has made."""
    return counted(plane, "dispatched", FLOW)


def run_named(name: str, count: int, **spec: Any) -> dict[str, Any]:
    """Return a run that workers can play; `spec` is laid over what it needs."""
    return {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "data": {"path": "a.h5"},
            "workers": {
                "count": count,
                "resources": {"cpu": "100m", "memory": "1Gi"},
                **spec.pop("workers", {}),
            },
            **spec,
        },
    }
