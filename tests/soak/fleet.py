"""A hundred runs at once: fleet.py [--runs 100] [--workers 16] [--generations 6]

A real API server, scheduler and Job controller; nodes and kubelets pretended by KWOK; the operator
as a process with the rights that deploy/operator.yaml gives it. What workers do is played by one
process (this one), which writes honest run-directory files: see tests/unit/played_pool.py.

Prints what the operator costs: memory, processor, requests to the API, and the time from the last
outcome of a generation to the first task of the next.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/unit"), str(ROOT / "tests/cluster")]

import installation  # noqa: E402
from kube.control_plane import Address, ControlPlane, free_ports  # noqa: E402
from kube.daemons import Daemons  # noqa: E402
from kube.flows import counted, flow_schema, service_account  # noqa: E402
from kube.kwok import add_pretended_node, start_kwok  # noqa: E402
from kube.waiting import wait_until  # noqa: E402
from ledger_examples import Mini  # noqa: E402
from played_pool import PlayedPool  # noqa: E402

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
            from played_pool import _Worker

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


def operator_kubeconfig(plane: ControlPlane, folder: Path) -> Path:
    """Return a kubeconfig with the ServiceAccount's own rights."""
    words = ("create", "token", "autolfads-operator", "-n", NAMESPACE, "--duration=10h")
    token = plane.kubectl(*words).strip()
    path = folder / "operator.kubeconfig"
    from kube.credentials import write_kubeconfig

    server = str(plane.address)
    write_kubeconfig(path, server, plane.credentials.authority, {"token": token})
    return path


def start_operator(plane: ControlPlane, folder: Path, volume: Path) -> subprocess.Popen[bytes]:
    """Start the operator as a process here."""
    command = [sys.executable, "-m", "autolfads_operator.cli", "operator", "--log", "json"]
    command += ["--namespace", NAMESPACE, "--root", str(volume), "--claim", installation.CLAIM]
    command += ["--image", "trainer:1", "--port", str(free_ports(1)[0])]
    log = (folder / "operator.log").open("ab")
    return subprocess.Popen(
        command,
        env={**os.environ, "KUBECONFIG": str(operator_kubeconfig(plane, folder))},
        stdout=log,
        stderr=log,
    )


def run_named(name: str, workers: int) -> dict[str, Any]:
    return {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "data": {"path": "a.h5"},
            "workers": {"count": workers, "resources": {"cpu": "100m", "memory": "1Gi"}},
        },
    }


def memory(pid: int) -> tuple[float, float]:
    """Return a process's resident memory now and at its most, in MiB."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return tuple(int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def cpu(pid: int) -> float:
    """Return the seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def handovers(volume: Path) -> list[float]:
    """Return the seconds from each generation's last outcome to the first task of the next."""
    found = []
    for run in (volume / "runs" / NAMESPACE).iterdir():
        ends: dict[int, float] = {}
        begins: dict[int, float] = {}
        for path in run.glob("members/*/gen-*/attempt-*/*.json"):
            generation = int(path.parts[-3].removeprefix("gen-"))
            at = path.stat().st_mtime
            if path.name == "outcome.json":
                ends[generation] = max(ends.get(generation, 0.0), at)
            elif path.name == "task.json":
                begins[generation] = min(begins.get(generation, at), at)
        found += [begins[n + 1] - ends[n] for n in ends if n + 1 in begins]
    return sorted(found)


def main() -> int:
    """Run the fleet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--generations", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=40, help="steps of a generation")
    parser.add_argument("--minutes", type=float, default=40, help="at most")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="autolfads-fleet-"))
    volume = installation.make_volume(folder / "volume")
    nodes = -(-given.runs * (given.workers + 1) // PODS_OF_A_NODE) + 1
    plane = start_plane(folder, nodes)
    os.environ["KUBECONFIG"] = str(plane.kubeconfig)
    mini = Mini(
        population=given.workers,
        generations=given.generations,
        burn_in=given.epochs,
        interval=given.epochs,
    )
    fleet, stop = Fleet(volume, mini), threading.Event()
    threading.Thread(target=fleet.watch, args=[plane], daemon=True).start()
    threading.Thread(target=lambda: asyncio.run(let_pods_end(fleet, stop)), daemon=True).start()
    operator = start_operator(plane, folder, volume)
    try:
        time.sleep(5)
        idle = memory(operator.pid)[0]
        began = time.monotonic()
        plane.apply(
            *[run_named(f"run-{number:03d}", given.workers) for number in range(given.runs)]
        )
        over = 0
        next_look = 0.0
        while over < given.runs and time.monotonic() - began < 60 * given.minutes:
            tick = time.monotonic()
            fleet.take_news()
            fleet.step()
            if operator.poll() is not None:
                print((folder / "operator.log").read_text()[-3000:])
                return 1
            if time.monotonic() > next_look:
                next_look = time.monotonic() + 10
                words = ("get", "alr", "-n", NAMESPACE, "--no-headers")
                states = [line.split()[1] for line in plane.kubectl(*words).splitlines()
                          if len(line.split()) > 1]  # fmt: skip
                over = states.count("Succeeded") + states.count("Failed")
                at = f"{time.monotonic() - began:5.0f} s"
                counts = {state: states.count(state) for state in sorted(set(states))}
                played = sum(len(run.workers) for run in fleet.runs.values())
                print(at, counts, f"{memory(operator.pid)[0]:.0f} MiB, {played} played", flush=True)
            time.sleep(max(0.0, TICK - (time.monotonic() - tick)))
        took = time.monotonic() - began
        wait_until("all is quiet", lambda: True, 5)
        times = handovers(volume)
        calls = counted(plane, "dispatched", FLOW)
        generations = given.runs * given.generations
        print(f"\n{given.runs} runs of {given.workers} workers, {given.generations} generations")
        print(f"runs over          {over} of {given.runs} in {took:.0f} s")
        print(f"memory             {memory(operator.pid)[1]:.0f} MiB at most ({idle:.0f} idle)")
        print(f"processor          {cpu(operator.pid) / took:.0%} of a core")
        if times:
            print(
                f"hand-over          median {times[len(times) // 2]:.2f} s, 95 % below "
                f"{times[int(0.95 * (len(times) - 1))]:.2f} s, worst {times[-1]:.2f} s "
                f"({len(times)})"
            )
        print(f"requests           {calls:.0f}: {calls / generations:.1f} per run and generation")
        good = over == given.runs and memory(operator.pid)[1] < 250 and bool(times)
        return 0 if good and times[int(0.95 * (len(times) - 1))] < 2 else 1
    finally:
        stop.set()
        operator.kill()
        plane.stop()


if __name__ == "__main__":
    sys.exit(main())
