"""What all runs of a namespace need to know of the cluster: asked seldom, and for all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from autolfads_operator.cluster.client import (
    DEVICE_CLASSES,
    EVENTS,
    FORBIDDEN,
    NODES,
    NOT_FOUND,
    RESOURCE_SLICES,
    VOLUME_CLAIMS,
    ApiError,
    Client,
    but_for,
)
from autolfads_operator.cluster.names import Reason
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.packing.offers import Offer, offer_of

T = TypeVar("T")

FRESH = 5.0  # seconds that an answer is good for


@dataclass
class Remembered(Generic[T]):
    """The last answer to a question, asked again when it has grown old, by one at a time.

    A refusal is an answer, too: a hundred runs must not wait for it one after another.
    """

    ask: Callable[[], Awaitable[T]]
    fresh: float = FRESH
    _answer: T | None = None
    _refusal: ApiError | None = None
    _until: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self) -> T:
        """Return the answer."""
        async with self._lock:
            if time.monotonic() >= self._until:
                await self._ask_again()
            if self._refusal is not None:
                raise self._refusal
            assert self._answer is not None  # noqa: S101
            return self._answer

    async def _ask_again(self) -> None:
        try:
            self._answer, self._refusal = await self.ask(), None
        except ApiError as error:
            self._refusal = error
        self._until = time.monotonic() + self.fresh


class ClusterFacts:
    """Nodes, device classes and the shared claim."""

    def __init__(self, client: Client, claim: str) -> None:
        self._client, self._claim = client, claim
        self._claims = Remembered(self._ask_for_claim)
        self._plain = Remembered(self._ask_for_nodes)
        self._with_devices = Remembered(self._ask_for_devices)

    async def shared_claim(self) -> Mapping[str, Any] | None:
        """Return the shared claim; None: there is none. Raises `ApiError`."""
        return (await self._claims()) or None

    async def offer(self, *, devices: bool) -> Offer | Finding:
        """Return what nodes offer, with `devices` those of DRA, too; or why it cannot be seen."""
        try:
            return await (self._with_devices if devices else self._plain)()
        except ApiError as error:
            if error.status == FORBIDDEN:
                words = f"nodes could not be looked at (rbac.readNodes of the chart): {error}"
                return Finding(Reason.FORBIDDEN, words)
            raise

    async def failed_creations(self, job: str, since: datetime) -> str | None:
        """Return what the Job controller last said of pods that it may not make."""
        of_it = f"involvedObject.kind=Job,involvedObject.name={job},reason=FailedCreate"
        return await self._last_of(of_it, since=since)

    async def last_warning(self, uid: str) -> str | None:
        """Return what was last said of a pod that cannot start.

        Kubelet and scheduler call it `Failed…`; other warnings keep nobody from starting.
        """
        return await self._last_of(f"involvedObject.uid={uid},type=Warning", "Failed")

    async def _last_of(
        self, fields: str, reason: str = "", since: datetime | None = None
    ) -> str | None:
        found, _ = await self._client.list(EVENTS, fields=fields)
        messages = sorted(
            (str(each.get("lastTimestamp")), str(each.get("message")))
            for each in found
            if str(each.get("reason")).startswith(reason)
        )
        if not messages or (since is not None and _is_before(messages[-1][0], since)):
            return None
        return messages[-1][1]

    async def _ask_for_claim(self) -> Mapping[str, Any]:
        with but_for(NOT_FOUND):
            return await self._client.get(VOLUME_CLAIMS, self._claim)
        return {}

    async def _ask_for_nodes(self) -> Offer:
        nodes, _ = await self._client.list(NODES)
        return offer_of(nodes)

    async def _ask_for_devices(self) -> Offer:
        nodes, _ = await self._client.list(NODES)
        classes, _ = await self._client.list(DEVICE_CLASSES)
        slices, _ = await self._client.list(RESOURCE_SLICES)
        return offer_of(nodes, classes, slices)


def _is_before(time: str, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(time) < since
    except ValueError:
        return False
