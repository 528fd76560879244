"""A run that has ended: nothing more can come of it, but the end of its object."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from autolfads_operator.cluster.acting import act
from autolfads_operator.cluster.client import RUNS
from autolfads_operator.cluster.in_thread import in_thread
from autolfads_operator.cluster.limits import Limits
from autolfads_operator.cluster.operator import Operator
from autolfads_operator.cluster.plan import Wanted, plan
from autolfads_operator.cluster.pod_facts import facts_of
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.cluster.voice import Voice
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.store import RunFolder

HANGS = 20.0  # seconds for one call to the volume

log = logging.getLogger("autolfads.run")


def has_ended(status: Mapping[str, Any]) -> bool:
    """Return whether a status says that the run is over, and nothing is left to do."""
    return status.get("completionTime") is not None


async def look_after_the_end(operator: Operator, run: RunObject, voice: Voice) -> float:
    """Do what is to be done now; return in how many seconds there is more. Raises `ApiError`."""
    await _send_away_who_came_late(operator, run)
    await _note_whether_results_are_kept(operator, run, voice)
    left = Limits(run, voice.started, time.time()).until_deletion(voice.ended)
    if left is None:
        return math.inf
    if left <= 0:
        await operator.client.delete(RUNS, run.name, uid=run.uid)
        return math.inf
    return left


async def _send_away_who_came_late(operator: Operator, run: RunObject) -> None:
    """A Job that was made or enlarged in the last moment, and heard of after the end."""
    pods = facts_of(operator.mirror.pods.of_run(run.uid))
    if any(pod.phase != "over" for pod in pods):
        jobs = operator.mirror.jobs.of_run(run.uid)
        rest = plan(run, operator.settings, Wanted("rest"), jobs, pods, frozenset())
        await act(operator.client, rest)


async def _note_whether_results_are_kept(operator: Operator, run: RunObject, voice: Voice) -> None:
    """That may change as long as the object is there."""
    status = voice.written or run.status
    if status.get("observedGeneration") == run.generation:
        return
    folder = RunFolder(operator.settings.root / run.folder)
    keep = run.spec.keep_results
    try:
        call = in_thread(lambda: folder.note_keep_results(keep))
        await asyncio.wait_for(call, HANGS)
    except (OSError, StoreError, TimeoutError) as error:
        log.warning("keepResults is not noted yet: %s", error, extra={"run": run.name})
        return
    await voice.say_seen(run)
