"""Objects as a cluster holds them, for tests of what the operator makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autolfads_operator.cluster.run_object import RunObject, read_run
from autolfads_operator.cluster.settings import OperatorSettings

UID = "7ef9dbc9-187d-4bfa-872b-d351e77447a7"
SETTINGS = OperatorSettings(
    namespace="lab",
    root=Path("/volume"),
    claim="autolfads",
    image="trainer:1",
    cluster="cluster-uid",
    identity="operator-1",
)


def run_body(name: str = "lorenz", /, **changes: Any) -> dict[str, Any]:
    """Return an AutoLFADSRun; `labels`, `status`, `generation` and fields of its spec change it."""
    metadata = {
        "name": name,
        "namespace": "lab",
        "uid": changes.pop("uid", UID),
        "generation": changes.pop("generation", 1),
        "labels": changes.pop("labels", {}),
        "resourceVersion": "1",
        "creationTimestamp": "2026-11-01T12:00:00Z",
    }
    return {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": metadata,
        "status": changes.pop("status", {}),
        "spec": {"data": {"path": "lorenz.h5"}} | changes,
    }


def run_object(name: str = "lorenz", /, **changes: Any) -> RunObject:
    return read_run(run_body(name, **changes))


def pod_body(
    name: str = "pod-0",
    *,
    phase: str = "Running",
    state: dict[str, Any] | None = None,
    role: str = "worker",
    conditions: tuple[dict[str, Any], ...] = (),
    **metadata: Any,
) -> dict[str, Any]:
    """Return a pod; `state` is that of its container."""
    state = {"running": {}} if state is None and phase == "Running" else state or {}
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "creationTimestamp": "2026-11-01T12:00:00Z",
            "labels": {
                "autolfads.io/run-uid": UID,
                "autolfads.io/role": role,
                "batch.kubernetes.io/job-name": "job",
            },
            **metadata,
        },
        "spec": {"nodeName": "node1"},
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            "containerStatuses": [{"name": "worker", "state": state}] if state else [],
        },
    }


def ended(code: int, *, lived: int = 1, minute: int = 0, **more: Any) -> dict[str, Any]:
    """Return the state of a container that has ended after `lived` seconds."""
    return {
        "terminated": {
            "exitCode": code,
            "startedAt": f"2026-11-01T12:{minute:02d}:00Z",
            "finishedAt": f"2026-11-01T12:{minute:02d}:{lived:02d}Z",
            **more,
        }
    }
