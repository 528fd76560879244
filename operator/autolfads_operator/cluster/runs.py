"""All runs of the namespace: a loop each, and full lists that put right what events missed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from autolfads_operator.cluster.backoff import Backoff
from autolfads_operator.cluster.client import JOBS, PODS, RUNS, ApiError
from autolfads_operator.cluster.mirror import Shelf
from autolfads_operator.cluster.names import RUN_UID
from autolfads_operator.cluster.operator import Operator
from autolfads_operator.cluster.run_loop import RunLoop
from autolfads_operator.cluster.run_object import run_of, uid_of

RESYNC = 60.0  # seconds between full lists
LAST_RETRY = 15.0  # seconds, when the API does not answer

log = logging.getLogger("autolfads.operator")


class Runs:
    """The loops, kept in step with the runs that there are."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.loops: dict[str, RunLoop] = {}
        self.last_list = time.monotonic()  # when the API last answered with all there is, or failed
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def note(self, shelf: Shelf, body: Mapping[str, Any], *, deleted: bool) -> None:
        """Take an event of a run, a Job or a pod."""
        if shelf.note(body, deleted=deleted):
            self._start_and_wake({run_of(body) or uid_of(body)})

    async def keep_in_step(self) -> None:
        """Ask for full lists for ever."""
        backoff = Backoff(LAST_RETRY)
        while True:
            try:
                await self._list_all()
                backoff.reset()
                pause = RESYNC
            except ApiError as error:
                pause = backoff.after(error)
                log.warning("API: full lists: %s (%s); again in %.0f s", error, error.status, pause)
            except Exception:  # one object that cannot be read must not end all runs
                pause = LAST_RETRY
                log.exception("full lists failed; again in %.0f s", pause)
            self.last_list = time.monotonic()
            await asyncio.sleep(pause)

    async def _list_all(self) -> None:
        mirror, client = self.operator.mirror, self.operator.client
        news: set[str] = set()
        # Children first: a run whose children are not known yet must not be given new ones.
        for kind, shelf, labels in (
            (PODS, mirror.pods, RUN_UID),
            (JOBS, mirror.jobs, RUN_UID),
            (RUNS, mirror.runs, ""),
        ):
            found, version = await client.list(kind, labels=labels, kept=shelf.in_short)
            news |= shelf.replace(found, version)
        if not mirror.is_complete:
            mirror.is_complete = True
            news |= mirror.runs.objects.keys()
            log.info("looks after %d runs", len(mirror.runs.objects))
        self._start_and_wake(news)

    def _start_and_wake(self, uids: set[str]) -> None:
        if not self.operator.mirror.is_complete:
            return
        for uid in uids:
            task = self._tasks.get(uid)
            if (task is None or task.done()) and uid in self.operator.mirror.runs.objects:
                loop = RunLoop(self.operator, uid)
                self.loops[uid] = loop
                self._tasks[uid] = asyncio.create_task(self._run(uid, loop), name=f"run {uid}")
            elif uid in self.loops:
                self.loops[uid].wake()

    async def _run(self, uid: str, loop: RunLoop) -> None:
        try:
            await loop.run()
        finally:
            del self.loops[uid], self._tasks[uid]

    def oldest_turn(self) -> float:
        """Return how many seconds ago the loop turned last that has not turned for the longest."""
        turns = [self.last_list, *(loop.last_turn for loop in self.loops.values())]
        return time.monotonic() - min(turns)
