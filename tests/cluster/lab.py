"""A laboratory's namespace: runs are applied, looked at and disturbed as with kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import installation
import machine
from installation import NAMESPACE
from kube.cluster import Cluster
from kube.control_plane import ControlPlane
from kube.waiting import wait_until

RUNS = "autolfadsruns"
# Generations that are long enough to be disturbed in their midst.
EPOCHS = 10  # of a generation: three of them are long enough to be disturbed
LONGER = {"pbt": {"generationEpochs": EPOCHS, "burnInEpochs": EPOCHS, "maxEpochs": 3 * EPOCHS}}
OPERATOR = "app.kubernetes.io/component=operator"


@dataclass
class Lab:
    """A namespace with the operator in it; `volume` is the shared claim's folder."""

    plane: ControlPlane
    volume: Path
    cluster: Cluster
    namespace: str = NAMESPACE

    def kubectl(self, *words: str, text: str = "") -> str:
        return self.plane.kubectl(f"--namespace={self.namespace}", *words, text=text)

    def get(self, *words: str) -> Any:
        return self.plane.get(f"--namespace={self.namespace}", *words)

    def apply(self, *objects: dict[str, Any]) -> None:
        self.plane.apply(*objects)

    def run(self, name: str, **spec: Any) -> Run:
        """Apply a small run."""
        self.apply(installation.run(name, self.namespace, **spec))
        return Run(self, name)

    def operator_pod(self) -> str | None:
        """Return the name of the operator's pod, when it is ready."""
        for pod in self.get("pods", f"--selector={OPERATOR}")["items"]:
            ready = [
                each["status"]
                for each in pod.get("status", {}).get("conditions", [])
                if each["type"] == "Ready"
            ]
            if ready == ["True"] and "deletionTimestamp" not in pod["metadata"]:
                return str(pod["metadata"]["name"])
        return None

    def wait_for_operator(self, seconds: float = 60) -> str:
        try:
            return wait_until("an operator that is ready", self.operator_pod, seconds)
        except TimeoutError as error:
            found = self.get("pods", f"--selector={OPERATOR}")["items"]
            states = json.dumps([each.get("status") for each in found], indent=1)
            raise AssertionError(f"{error}; {states}") from None

    def kill_operator(self) -> None:
        """Kill the operator's pod at once, without a word to it; another takes its place."""
        pod = self.wait_for_operator()
        self.kubectl("delete", "pod", pod, "--grace-period=0", "--force")


@dataclass
class Run:
    """One AutoLFADSRun."""

    lab: Lab
    name: str

    @property
    def object(self) -> dict[str, Any]:
        found: dict[str, Any] = self.lab.get(RUNS, self.name)
        # In whatever state it is: a cluster without the operator must be able to delete it.
        assert not found["metadata"].get("finalizers")
        return found

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.object.get("status", {})
        return found

    @property
    def uid(self) -> str:
        return str(self.object["metadata"]["uid"])

    @property
    def folder(self) -> Path:
        return self.lab.volume / "runs" / self.lab.namespace / f"{self.name}-{self.uid}"

    def condition(self, kind: str) -> dict[str, Any]:
        """Return a condition, or an empty one."""
        found = [each for each in self.status.get("conditions", []) if each["type"] == kind]
        return found[0] if found else {}

    def wait_for(
        self, kind: str, status: str = "True", reason: str | None = None, seconds: float = 90
    ) -> str:
        """Wait for a condition; return its message."""

        def look() -> str | None:
            found = self.condition(kind)
            right = found.get("status") == status and reason in (None, found.get("reason"))
            return (found.get("message") or "-") if right else None

        try:
            return wait_until(f"{self.name}: {kind}={status} {reason or ''}", look, seconds)
        except TimeoutError as error:
            raise AssertionError(f"{error}; {json.dumps(self.status, indent=1)}") from None

    def wait_until(self, what: str, happens: Callable[[], object], seconds: float = 90) -> Any:
        try:
            return wait_until(f"{self.name}: {what}", happens, seconds)
        except TimeoutError as error:
            raise AssertionError(f"{error}; {json.dumps(self.status, indent=1)}") from None

    def patch(self, **spec: Any) -> None:
        """Change fields of the spec."""
        body = json.dumps({"spec": spec})
        self.lab.kubectl("patch", RUNS, self.name, "--type=merge", f"--patch={body}")

    def delete(self) -> None:
        self.lab.kubectl("delete", RUNS, self.name, "--wait=false")

    def pods(self, role: str = "worker", *, alive: bool = True) -> list[dict[str, Any]]:
        """Return the pods of a role; `alive`: those whose worker runs and was not told to leave."""
        selector = f"--selector=autolfads.io/run-uid={self.uid},autolfads.io/role={role}"
        found = self.lab.get("pods", selector)["items"]
        if not alive:
            return list(found)
        return [
            pod
            for pod in found
            if pod["status"].get("phase") == "Running"
            and "deletionTimestamp" not in pod["metadata"]
        ]

    def jobs(self, role: str = "worker") -> list[dict[str, Any]]:
        selector = f"--selector=autolfads.io/run-uid={self.uid},autolfads.io/role={role}"
        return list(self.lab.get("jobs", selector)["items"])

    def events(self) -> list[tuple[str, str, str]]:
        """Return the run's Events in their order: (type, reason, message)."""
        found = self.lab.get("events", f"--field-selector=involvedObject.uid={self.uid}")["items"]
        found.sort(key=lambda each: each["metadata"]["creationTimestamp"])
        return [(each["type"], each["reason"], each["message"]) for each in found]

    def orders(self) -> dict[str, str]:
        """Return the text of every order, by its place."""
        paths = sorted(self.folder.glob("members/*/gen-*/order.json"))
        return {str(path.relative_to(self.folder)): path.read_text() for path in paths}

    def generation(self) -> int:
        """Return the newest generation that orders were given for."""
        return max((int(path.split("gen-")[1][:3]) for path in self.orders()), default=0)

    def epochs(self) -> int:
        """Return how far training is: lines of metrics of all members."""
        paths = self.folder.glob("members/*/gen-*/attempt-*/metrics.csv")
        return sum(max(0, len(path.read_text().splitlines()) - 1) for path in paths)


def install(cluster: Cluster, volume: Path, namespace: str = NAMESPACE, **environment: str) -> Lab:
    """Install the operator as a user does, with `volume` as its shared claim."""
    plane = cluster.plane
    plane.apply(installation.crd())
    first, *rest = installation.operator_objects(namespace, **environment)
    plane.apply(first)
    shared = machine.volume_and_claim(installation.CLAIM, volume, namespace)
    plane.apply(*machine.claims(namespace), *shared)
    plane.apply(*rest)
    return Lab(plane, volume, cluster, namespace)
