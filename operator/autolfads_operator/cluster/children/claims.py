"""ResourceClaims: with `dra`, one for each GPU, which its workers share. Pure."""

from __future__ import annotations

from typing import Any

from autolfads_operator.cluster.children.naming import group_name
from autolfads_operator.cluster.names import ROLE, WORKER
from autolfads_operator.cluster.packing import packing_of
from autolfads_operator.cluster.run_object import RunObject


def resource_claims(run: RunObject, count: int) -> list[dict[str, Any]]:
    """Return the claims of `count` workers; none, where nothing is claimed."""
    workers = run.spec.workers
    return [
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            "metadata": {
                "name": group_name(run, group),
                "namespace": run.namespace,
                "labels": {**run.own_labels, ROLE: WORKER},
                "ownerReferences": [run.owner_reference],
            },
            "spec": {
                "devices": {
                    "requests": [
                        {"name": "gpu", "exactly": {"deviceClassName": workers.gpu.device_class}}
                    ]
                }
            },
        }
        for group in packing_of(workers).groups(workers, count)
        if group.claim
    ]
