"""kopf's part: watches. Its events wake the loops up and decide nothing.

No timers and no daemons of kopf's: those put a finalizer on the run, and a cluster without the
operator could not delete it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from typing import Any, cast

import kopf

from autolfads_operator.api import GROUP, VERSION
from autolfads_operator.cluster.client import NAMESPACES, Client
from autolfads_operator.cluster.cluster_facts import ClusterFacts
from autolfads_operator.cluster.metrics.of_operator import METRICS
from autolfads_operator.cluster.metrics.page import Page
from autolfads_operator.cluster.mirror import Mirror, Shelf
from autolfads_operator.cluster.names import RUN_UID
from autolfads_operator.cluster.operator import Operator
from autolfads_operator.cluster.probes import VolumeWatch, serve
from autolfads_operator.cluster.runs import Runs
from autolfads_operator.cluster.settings import OperatorSettings
from autolfads_operator.cluster.siblings import Siblings
from autolfads_operator.cluster.sweep import sweep_for_ever
from autolfads_operator.crd import PLURAL

DEEPEST = 12_000  # levels of an object
SHARED = 0o002  # umask: what the operator makes, workers of its group may change


class Backoffs:
    """Seconds between tries, without an end: an API server can be away for hours."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1, 1, 2, 3, 5, 8), itertools.repeat(15))


class NothingKept(kopf.AnnotationsDiffBaseStorage):
    """Spares kopf the copies of each object that it compares for handlers of changes: none here."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return an essence that is always the same."""
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Return what was seen before: nothing is."""
        return None


def watches(runs: Runs) -> kopf.OperatorRegistry:
    """Return what kopf is to watch: runs, and their Jobs and pods."""
    registry = kopf.OperatorRegistry()
    mirror = runs.operator.mirror
    ours = {RUN_UID: kopf.PRESENT}

    def on(group: str, version: str, plural: str, shelf: Shelf, labels: Any) -> None:
        @kopf.on.event(group, version, plural, labels=labels, registry=registry)
        async def note(event: kopf.RawEvent, **_: Any) -> None:
            runs.note(shelf, event["object"], deleted=event["type"] == "DELETED")

    on(GROUP, VERSION, PLURAL, mirror.runs, None)
    on("batch", "v1", "jobs", mirror.jobs, ours)
    on("", "v1", "pods", mirror.pods, ours)

    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
        inside = kopf.login_with_service_account(**kwargs)
        if inside is None or not host:
            return kopf.login_with_kubeconfig(**kwargs)
        # By its address, as the other client does: a cluster's DNS can be away.
        address = f"[{host}]" if ":" in host else host
        return dataclasses.replace(inside, server=f"https://{address}:{port or 443}")

    return registry


def kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings for an operator of one namespace that asks for nothing beyond it."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # it would ask for definitions and namespaces of the cluster
    settings.posting.enabled = False  # Events are the loops' own
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = Backoffs()
    settings.networking.enforce_retry_after = True
    settings.persistence.diffbase_storage = NothingKept()
    settings.persistence.finalizer = f"{GROUP}/never-used"
    settings.watching.label_selectors["jobs"] = RUN_UID
    settings.watching.label_selectors["pods"] = RUN_UID
    return settings


async def uid_of_namespace(namespace: str) -> str:
    """Return what no other cluster's namespace of this name has. Raises `ApiError`."""
    async with Client(namespace) as client:
        return str((await client.get(NAMESPACES, namespace))["metadata"]["uid"])


async def operate(settings: OperatorSettings) -> None:
    """Look after the namespace until SIGTERM or SIGINT. Workers go on without the operator."""
    os.umask(SHARED)
    # The API takes objects of 10,000 levels, and one of them must not end the reading of all.
    sys.setrecursionlimit(DEEPEST)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Client(settings.namespace) as client:
        facts = ClusterFacts(client, settings.claim)
        operator = Operator(client, settings, Mirror(), facts)
        runs = Runs(operator)
        siblings = Siblings(client, settings.identity, operator.other_operators)
        jobs: list[Coroutine[Any, Any, None]] = [
            runs.keep_in_step(),
            siblings.watch(),
            sweep_for_ever(operator),
            kopf.operator(
                registry=watches(runs),
                settings=kopf_settings(),
                standalone=True,
                # It would ask for the user's name, which nobody has in an image.
                identity=cast("Any", settings.identity),
                namespace=settings.namespace,
            ),
        ]
        if settings.port:
            volume = VolumeWatch(settings.root)
            page = Page(runs, volume, METRICS)
            jobs.append(serve(settings.port, runs.oldest_turn, volume, page.text))
        tasks = [asyncio.create_task(job) for job in jobs]
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in [*tasks, stopping]:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done - {stopping}:
            task.result()  # none of them ends by itself, unless in error
            raise RuntimeError("the operator's watches have ended")
