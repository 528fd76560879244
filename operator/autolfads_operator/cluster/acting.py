"""Doing what a plan says, by the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autolfads_operator.cluster.client import (
    CONFLICT,
    JOBS,
    NOT_FOUND,
    PODS,
    RESOURCE_CLAIMS,
    Client,
    but_for,
)
from autolfads_operator.cluster.plan import (
    Action,
    Create,
    DeleteJob,
    KillPod,
    Resize,
    Suspend,
)

KINDS = {"Job": JOBS, "ResourceClaim": RESOURCE_CLAIMS}
GONE = {
    "phase": "Failed",
    "reason": "WorkerLost",
    "message": "its worker gave no sign of life, and was given up",
}


async def act(client: Client, actions: Sequence[Action]) -> None:
    """Do everything that is planned, in this order. Raises `ApiError` at the first refusal."""
    for action in actions:
        await _do(client, action)


async def _do(client: Client, action: Action) -> None:
    if isinstance(action, Create):
        with but_for(CONFLICT):  # it is there, and not yet heard of
            await client.create(KINDS[action.body["kind"]], action.body)
    elif isinstance(action, Resize):
        size = {"parallelism": action.count, "completions": action.count}
        await _patch_job(client, action.job, size)
    elif isinstance(action, Suspend):
        await _patch_job(client, action.job, {"suspend": action.suspended})
    elif isinstance(action, DeleteJob):
        await client.delete(JOBS, action.job, uid=action.uid)
        if action.claim is not None:
            await client.delete(RESOURCE_CLAIMS, action.claim)
    else:
        await _kill(client, action)


async def _patch_job(client: Client, name: str, spec: dict[str, Any]) -> None:
    with but_for(NOT_FOUND):
        await client.patch(JOBS, name, {"spec": spec})


async def _kill(client: Client, action: KillPod) -> None:
    """Take a pod away although its node may never say that it is gone.

    A Job replaces a pod only when that has failed, which a node that is lost cannot say. Nothing
    can go wrong if the worker lives on: its attempts have outcomes already.
    """
    with but_for(NOT_FOUND, CONFLICT):
        body = {"metadata": {"uid": action.uid}, "status": GONE}
        await client.patch(PODS, action.pod, body, subresource="status")
    await client.delete(PODS, action.pod, uid=action.uid, grace=0)
