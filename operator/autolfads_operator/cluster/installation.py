"""Whether an installation is as it must be: what `helm test` asks, in the operator's place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from autolfads_operator.cluster.acceptance import claim_objection
from autolfads_operator.cluster.client import LEASES, NOT_FOUND, RUNS, ApiError, Client
from autolfads_operator.cluster.cluster_facts import ClusterFacts
from autolfads_operator.cluster.names import DATA
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.packing.offers import SHARING, Offer, is_of_gpus
from autolfads_operator.cluster.siblings import LABEL
from autolfads_trainer.disk import is_kept
from autolfads_trainer.disk_errors import in_words

LEASE_IS_FRESH = 60.0  # seconds


@dataclass(frozen=True)
class Result:
    """What came of one look. A note keeps nobody from working, and is good to know."""

    level: Literal["ok", "note", "WRONG"]
    words: str


async def look_around(client: Client, claim: str) -> AsyncIterator[Result]:
    """Yield what the API server tells of the definition, the operator, the claim and the GPUs."""
    facts = ClusterFacts(client, claim)
    for looking in (_definition(client), _operator(client), _claim(facts, claim), _gpus(facts)):
        try:
            yield await looking
        except ApiError as error:
            yield Result("WRONG", f"the API server: {error}")


async def _definition(client: Client) -> Result:
    try:
        runs, _ = await client.list(RUNS)
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        return Result(
            "WRONG",
            "AutoLFADSRun is not defined in this cluster: install one release with "
            "crds.enabled=true, or `kubectl apply --server-side -f crds/`",
        )
    return Result("ok", f"AutoLFADSRun is defined; {len(runs)} runs in this namespace")


async def _operator(client: Client) -> Result:
    leases, _ = await client.list(LEASES, labels=LABEL)
    alive = living(leases, datetime.now(UTC))
    if not alive:
        return Result(
            "WRONG",
            f"no operator looks after namespace {client.namespace}: see `kubectl describe pods "
            "--selector=app.kubernetes.io/component=operator`",
        )
    if len(alive) > 1:
        return Result("note", f"several operators look after it, and one is enough: {alive}")
    return Result("ok", f"the operator {alive[0]} looks after namespace {client.namespace}")


def living(leases: Sequence[Mapping[str, Any]], now: datetime) -> list[str]:
    """Return the operators that have renewed their Leases just now."""
    found = []
    for lease in leases:
        renewed = str(lease.get("spec", {}).get("renewTime", ""))
        try:
            age = (now - datetime.fromisoformat(renewed)).total_seconds()
        except ValueError:
            continue
        if age < LEASE_IS_FRESH:
            found.append(str(lease["spec"].get("holderIdentity")))
    return sorted(found)


async def _claim(facts: ClusterFacts, name: str) -> Result:
    if (objection := claim_objection(name, await facts.shared_claim())) is not None:
        return Result("WRONG", objection.message)
    return Result("ok", f"the claim {name} is ReadWriteMany")


def volume(root: Path) -> list[Result]:
    """Return what is found of the shared volume, which is mounted at `root`."""
    if not is_kept(root):
        return [Result("WRONG", f"{root}: cannot be written to; expected it for the pod's user")]
    try:
        files = sum(1 for _ in (root / DATA).iterdir())
    except FileNotFoundError:
        return [
            Result("ok", "the volume keeps what is written"),
            Result("note", f"it has no folder {DATA}/ yet: put recordings there"),
        ]
    except OSError as error:
        return [Result("WRONG", f"{root / DATA}: {in_words(error)}")]
    return [Result("ok", f"the volume keeps what is written; {files} files in {DATA}/")]


async def _gpus(facts: ClusterFacts) -> Result:
    offer = await facts.offer(devices=True)
    if isinstance(offer, Finding):
        return Result("note", f"GPUs were not looked for: {offer.message}")
    return gpus(offer)


def gpus(offer: Offer) -> Result:
    """Return what nodes offer."""
    found: dict[str, int] = {}
    for node in offer.nodes:
        for name, count in node.resources.items():
            if count and is_of_gpus(name):
                how = node.labels.get(SHARING)
                key = f"{name} ({how})" if how not in (None, "none") else name
                found[key] = found.get(key, 0) + count
    if any(offer.devices.values()):
        found["devices of DRA drivers"] = sum(offer.devices.values())
    if not found:
        return Result(
            "note",
            "no node offers a GPU now: install the device plugin or DRA driver, or let an "
            "autoscaler make nodes; until then runs need spec.workers.gpu.sharing: none",
        )
    said = ", ".join(f"{count} × {name}" for name, count in sorted(found.items()))
    return Result("ok", f"nodes offer {said}")
