"""Other operators of the same namespace: harmless, and never wanted.

The run directory holds against any number of controllers. Still somebody should be told: each
operator renews a Lease of its own, and one that sees another's move says so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from autolfads_operator.api import GROUP
from autolfads_operator.cluster.client import CONFLICT, LEASES, NOT_FOUND, ApiError, Client, but_for

LABEL = f"{GROUP}/operator"
RENEW = 15.0  # seconds
FRESH = 40.0  # seconds since a Lease was seen to move
OLD = 600.0  # seconds since it was seen to move, after which a Lease of somebody else is removed

log = logging.getLogger("autolfads.operator")


class Siblings:
    """Keeps this operator's Lease, and `others` up to date."""

    def __init__(self, client: Client, identity: str, others: list[str]) -> None:
        self._client, self._identity, self._others = client, identity, others
        self._seen: dict[str, tuple[str, float, bool]] = {}  # renewTime, when, whether it moved

    async def watch(self) -> None:
        """Renew and look for ever."""
        try:
            while True:
                try:
                    await self._renew()
                    await self._look()
                except ApiError as error:
                    log.warning("API: Lease: %s (%s)", error, error.status)
                await asyncio.sleep(RENEW)
        finally:
            try:
                await self._client.delete(LEASES, self._name)
            except ApiError as error:
                log.info("API: Lease not removed: %s", error)

    @property
    def _name(self) -> str:
        return f"autolfads-operator-{self._identity}"[:253]

    async def _renew(self) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": self._identity, "renewTime": now, "leaseDurationSeconds": 60}
        try:
            await self._client.patch(LEASES, self._name, {"spec": spec})
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name, "labels": {LABEL: ""}},
                "spec": spec,
            }
            with but_for(CONFLICT):
                await self._client.create(LEASES, body)

    async def _look(self) -> None:
        leases, _ = await self._client.list(LEASES, labels=LABEL)
        now, there = time.monotonic(), set[str]()
        for lease in leases:
            name = str(lease["metadata"]["name"])
            if name == self._name:
                continue
            there.add(name)
            renewed = str(lease.get("spec", {}).get("renewTime"))
            before = self._seen.get(name)
            # Of one that has just died nothing is said: only what moves, lives.
            if before is None:
                self._seen[name] = (renewed, now, False)
            elif before[0] != renewed:
                self._seen[name] = (renewed, now, True)
            elif now - before[1] > OLD:
                await self._client.delete(LEASES, name)
        self._seen = {name: seen for name, seen in self._seen.items() if name in there}
        self._others[:] = sorted(
            _holder(lease) for lease in leases if self._moves(str(lease["metadata"]["name"]), now)
        )

    def _moves(self, name: str, now: float) -> bool:
        _, at, moved = self._seen.get(name, ("", 0.0, False))
        return moved and now - at < FRESH


def _holder(lease: Mapping[str, Any]) -> str:
    return str(lease["spec"].get("holderIdentity"))
