"""The Jobs: a small one that prepares, and Indexed ones whose pods are the workers. Pure."""

from __future__ import annotations

from typing import Any

from autolfads_operator.cluster.children.naming import group_name
from autolfads_operator.cluster.children.pod import pod_template
from autolfads_operator.cluster.names import (
    CLAIM,
    CONTAINER,
    LEFT,
    MADE_FROM,
    PREPARE,
    QUEUE,
    ROLE,
    WORKER,
)
from autolfads_operator.cluster.packing import packing_of
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.cluster.settings import OperatorSettings

# The controller bounds retries, of members and of workers that die as they start; an index that
# Kubernetes gave up would be a worker less for good.
NEVER = 1_000_000


def prepare_job(run: RunObject, settings: OperatorSettings) -> dict[str, Any]:
    """Return the Job whose one pod checks data and configuration, without a GPU."""
    return _job(run, settings, f"{run.stem}-prepare", PREPARE, size=1, claim=None)


def worker_jobs(run: RunObject, settings: OperatorSettings, count: int) -> list[dict[str, Any]]:
    """Return the Jobs of `count` workers: one, or with `dra` one for each claim."""
    return [
        _job(
            run,
            settings,
            group_name(run, group),
            WORKER,
            size=group.size,
            claim=group_name(run, group) if group.claim else None,
        )
        for group in packing_of(run.spec.workers).groups(run.spec.workers, count)
    ]


def _job(
    run: RunObject,
    settings: OperatorSettings,
    name: str,
    role: str,
    *,
    size: int,
    claim: str | None,
) -> dict[str, Any]:
    labels = {**run.own_labels, ROLE: role}
    template = pod_template(run, settings, role, claim)
    if claim is not None:
        labels[CLAIM] = claim
        template["metadata"]["labels"][CLAIM] = claim
    if run.queue is not None:
        labels[QUEUE] = run.queue
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": run.namespace,
            "labels": labels,
            "annotations": {MADE_FROM: run.made_from},
            "ownerReferences": [run.owner_reference],
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": size,
            "parallelism": size,
            # Kueue takes it from here, and alone says when it runs.
            "suspend": run.queue is not None,
            "backoffLimitPerIndex": NEVER,
            "podReplacementPolicy": "Failed",  # a worker is gone before its place is taken
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {
                        "action": "Ignore",
                        "onExitCodes": {
                            "containerName": CONTAINER,
                            "operator": "In",
                            "values": [LEFT],
                        },
                    },
                ]
            },
            "template": template,
        },
    }
