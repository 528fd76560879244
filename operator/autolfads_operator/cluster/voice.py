"""Saying how a run is: one status, written when it has changed, and then its Events."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from autolfads_operator.cluster.client import (
    CONFLICT,
    EVENTS,
    NOT_FOUND,
    RUNS,
    ApiError,
    Client,
    but_for,
)
from autolfads_operator.cluster.conditions import Situation
from autolfads_operator.cluster.report import events_of, matters, status_of
from autolfads_operator.cluster.run_object import RunObject

MOST_UNSAID = 50  # Events
COUNTS = 10.0  # seconds between writes of a status in which nothing but counts has changed
MOST_WRITES = 20.0  # of a status at once; then one in each such time


class Voice:
    """What has been said of one run."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._written_at = 0.0
        self._writes, self._counted_at = MOST_WRITES, time.monotonic()  # that are left
        self._unsaid: list[dict[str, Any]] = []  # Events that the API has not taken yet
        self.written: Mapping[str, Any] | None = None
        self.trouble: str | None = None  # the volume's, as it was last said

    def begin(self, run: RunObject) -> None:
        """Go on from the status that is there."""
        self.written = run.status

    @property
    def started(self) -> str | None:
        """When the run was first taken up."""
        return (self.written or {}).get("startTime")

    @property
    def ended(self) -> str | None:
        """When it ended."""
        return (self.written or {}).get("completionTime")

    async def say(self, now: Situation) -> None:
        """Write the status if it has changed, and post Events. Raises `ApiError`."""
        self.trouble = now.trouble
        before = self.written or {}
        at = datetime.now(UTC)
        status = status_of(now, before, at)
        if status == {name: before.get(name) for name in status}:
            if self._unsaid:
                await self._post(now.run, status.get("generation"))
            return
        in_time = time.monotonic() - self._written_at >= COUNTS
        if not matters(status, before) and not in_time:
            return
        if not self._may_write():
            return  # a later look says what is so then
        try:
            # The uid: not the status of another run of the same name.
            body = {"metadata": {"uid": now.run.uid}, "status": status}
            await self._client.patch(RUNS, now.run.name, body, subresource="status")
        except ApiError as error:
            if error.status in (NOT_FOUND, CONFLICT):  # it is being deleted
                return
            raise
        self.written, self._written_at = status, time.monotonic()
        self._unsaid += events_of(now.run, status, before, at)
        await self._post(now.run, status.get("generation"))

    def _may_write(self) -> bool:
        """Whether this run may write now: what a worker's files say can change without an end."""
        now = time.monotonic()
        self._writes = min(MOST_WRITES, self._writes + (now - self._counted_at) / COUNTS)
        self._counted_at = now
        if self._writes < 1:
            return False
        self._writes -= 1
        return True

    async def say_seen(self, run: RunObject) -> None:
        """Write that this generation of a run that is over was seen. Raises `ApiError`."""
        seen = {"observedGeneration": run.generation}
        body = {"metadata": {"uid": run.uid}, "status": seen}
        with but_for(NOT_FOUND, CONFLICT):
            await self._client.patch(RUNS, run.name, body, subresource="status")
        self.written = {**(self.written or run.status), **seen}

    async def _post(self, run: RunObject, generation: int | None) -> None:
        """Post what is to be told; what the API does not take now, it gets with the next."""
        log = logging.LoggerAdapter(
            logging.getLogger("autolfads.run"),
            {"run": run.name, "generation": generation},
        )
        unsaid, self._unsaid = self._unsaid[-MOST_UNSAID:], []
        for number, event in enumerate(unsaid):
            try:
                with but_for(CONFLICT):
                    await self._client.create(EVENTS, event)
            except ApiError as error:  # a pity; a run must not stand still for it
                log.warning("Event not posted: %s", error)
                if error.may_pass:
                    self._unsaid = unsaid[number:]
                    return
            log.info("%s: %s", event["reason"], event["message"])
