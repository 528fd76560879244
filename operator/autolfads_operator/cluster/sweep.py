"""Removing the folders of deleted runs that were not to be kept (`keepResults: false`).

Several clusters may share one volume, and a list can be incomplete: a folder goes only when its
`owner.json` names this cluster and namespace and says so, the run is in no full list that was made
after the folder was seen, and no pod of it is left.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from functools import partial
from pathlib import Path

from autolfads_operator.cluster.client import PODS, RUNS, ApiError
from autolfads_operator.cluster.in_thread import in_thread
from autolfads_operator.cluster.names import RUN_UID
from autolfads_operator.cluster.names import RUNS as RUNS_FOLDER
from autolfads_operator.cluster.operator import Operator
from autolfads_operator.cluster.run_object import run_of, uid_of
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.folders import let_change
from autolfads_trainer.places import place_of
from autolfads_trainer.store import RunFolder

EVERY = 60.0  # seconds between looks

log = logging.getLogger("autolfads.operator")


async def sweep_for_ever(operator: Operator) -> None:
    """Look at the volume again and again; where it hangs, only this waits."""
    while True:
        await asyncio.sleep(EVERY)
        try:
            await sweep(operator)
        except ApiError as error:
            log.warning("API: sweeping: %s (%s)", error, error.status)
        except Exception as error:
            log.warning("sweeping: %r", error)


async def sweep(operator: Operator) -> list[str]:
    """Remove what is to be removed; return the folders' names. Raises `ApiError`, `OSError`."""
    settings = operator.settings
    root = settings.root / RUNS_FOLDER / settings.namespace
    known = operator.mirror.runs.objects.keys()
    candidates = await in_thread(partial(_not_kept, root, settings.cluster, frozenset(known)))
    if not candidates:
        return []
    # After the folders were seen: a run is made before its folder is.
    runs, _ = await operator.client.list(RUNS)
    pods, _ = await operator.client.list(PODS, labels=RUN_UID)
    alive = {uid_of(run) for run in runs} | {run_of(pod) for pod in pods}
    swept = []
    for uid, folder in candidates:
        if uid in alive:
            continue
        try:
            await in_thread(partial(_remove, folder))
        except Exception as error:  # whatever lies in it, others go on
            log.warning("sweeping: %s cannot be removed: %r", folder, error)
            continue
        log.info("removed %s: its run was deleted, and keepResults is false", folder)
        swept.append(folder.name)
    return swept


def _not_kept(root: Path, cluster: str, known: frozenset[str]) -> list[tuple[str, Path]]:
    """Return the runs (uid, folder) of this cluster that are unknown and not to be kept."""
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder.name[-36:] in known or folder.is_symlink() or not folder.is_dir():
            continue
        try:
            with place_of(folder) as place:
                let_change(*place)  # its workers own it, and can have shut it
            owner = RunFolder(folder).owner()
        except (StoreError, OSError) as error:
            log.warning("sweeping: %s", error)
            continue
        mine = owner is not None and owner.cluster == cluster and owner.namespace == root.name
        if owner is None or not mine or owner.keep_results or owner.uid is None:
            continue
        if owner.uid not in known and folder.name == f"{owner.name}-{owner.uid}":
            found.append((owner.uid, folder))
    return found


def _remove(folder: Path) -> None:
    """Remove a run's folder, `owner.json` last: a sweep that is broken off is gone on with."""
    run = RunFolder(folder)
    while names := [name for name in run.contents() if name != "owner.json"]:
        for name in names:
            if not run.remove(name):
                raise OSError(errno.ENOTEMPTY, "somebody still writes into it", str(folder / name))
    run.remove("owner.json")
    folder.rmdir()
