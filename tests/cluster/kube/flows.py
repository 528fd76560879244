"""Requests of one client counted, or held up, apart from those of all others."""

from __future__ import annotations

from typing import Any

from kube.control_plane import ControlPlane


def flow_schema(name: str, level: str, *subjects: dict[str, Any]) -> dict[str, Any]:
    """Return what puts all requests of these subjects into a priority level."""
    everything = {
        "verbs": ["*"],
        "apiGroups": ["*"],
        "resources": ["*"],
        "namespaces": ["*"],
        "clusterScope": True,
    }
    return {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": name},
        "spec": {
            "matchingPrecedence": 100,
            "priorityLevelConfiguration": {"name": level},
            "rules": [{"subjects": list(subjects), "resourceRules": [everything]}],
        },
    }


def service_account(namespace: str, name: str) -> dict[str, Any]:
    """Return a ServiceAccount as a subject."""
    return {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}}


def counted(plane: ControlPlane, what: str, flow: str) -> float:
    """Return how many requests of a flow were `dispatched` or `rejected`."""
    start, label = f"apiserver_flowcontrol_{what}_requests_total{{", f'flow_schema="{flow}"'
    lines = plane.kubectl("get", "--raw", "/metrics").splitlines()
    return sum(float(x.rsplit(" ", 1)[1]) for x in lines if x.startswith(start) and label in x)
