"""The pods' template. Pure; it meets Pod Security *restricted*.

The user's `podTemplate` is laid over what the operator chooses, and never over what it needs:
`refused` says where it tries to.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from autolfads_operator.api import GROUP, PodTemplate
from autolfads_operator.cluster.children.amounts import whole_cores
from autolfads_operator.cluster.names import (
    CONTAINER,
    DATA,
    DATA_FOLDER,
    LIFE,
    ROLE,
    RUN_FOLDER,
    SCRATCH,
    SCRATCH_VOLUME,
    VOLUME,
    WORKER,
)
from autolfads_operator.cluster.packing import packing_of
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.cluster.settings import OperatorSettings

# A spot machine is gone 120 s after its notice; saving takes up to 100.
GRACE = 110  # seconds between SIGTERM and SIGKILL
OURS = (f"{GROUP}/", "batch.kubernetes.io/", "job-name", "controller-uid")
GPU_TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
DEVICE = "gpu"  # what a pod calls its resource claim


def pod_template(
    run: RunObject, settings: OperatorSettings, role: str, claim: str | None = None
) -> dict[str, Any]:
    """Return the template of the pods of one role; with `claim` they share that ResourceClaim."""
    given = run.spec.workers.pod_template
    on_gpu = role == WORKER and run.spec.workers.gpu.sharing != "none"
    spec: dict[str, Any] = {
        "restartPolicy": "Never",  # so that a life is a pod
        "terminationGracePeriodSeconds": GRACE,
        # The first process of a namespace does not hear SIGTERM before it has asked for it: one
        # that still starts would stay, with its GPU, until it is killed.
        "shareProcessNamespace": True,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # one variable for each Service of the namespace otherwise
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": settings.uid,
            "runAsGroup": settings.gid,
            "fsGroup": settings.gid,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
            **(given.security_context or {}),
        },
        "containers": [_container(run, settings, role, claim)],
        "volumes": [
            {"name": VOLUME, "persistentVolumeClaim": {"claimName": settings.claim}},
            {"name": SCRATCH_VOLUME, "emptyDir": {}},
            *(given.volumes or ()),
        ],
        "tolerations": [*([GPU_TAINT] if on_gpu else []), *(given.tolerations or ())],
        "nodeSelector": given.node_selector,
        "affinity": given.affinity,
        "topologySpreadConstraints": given.topology_spread_constraints,
        "priorityClassName": given.priority_class_name,
        "runtimeClassName": given.runtime_class_name,
        "schedulerName": given.scheduler_name,
        "serviceAccountName": given.service_account_name,
        "imagePullSecrets": given.image_pull_secrets,
    }
    if claim is not None:
        spec["resourceClaims"] = [{"name": DEVICE, "resourceClaimName": claim}]
    return {
        "metadata": _without_empty(
            {
                "labels": {**(given.labels or {}), **run.own_labels, ROLE: role},
                "annotations": given.annotations,
            }
        ),
        "spec": _without_empty(spec),
    }


def _container(
    run: RunObject, settings: OperatorSettings, role: str, claim: str | None
) -> dict[str, Any]:
    given, resources = run.spec.workers.pod_template, run.spec.workers.resources
    asked = {"cpu": str(resources.cpu), "memory": str(resources.memory)}
    if role != WORKER and whole_cores(resources.cpu) > 1:
        asked["cpu"] = "1"  # it reads and checks: one core does that, and is found sooner
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": given.image or settings.image,
        "imagePullPolicy": given.image_pull_policy,
        "command": [*settings.worker_command],
        "args": _arguments(run, settings, role),
        "env": [
            {"name": LIFE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
            # The root file system is read-only; libraries keep their caches here.
            {"name": "HOME", "value": SCRATCH},
            {"name": "TMPDIR", "value": SCRATCH},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
            *(given.env or ()),
        ],
        "envFrom": given.env_from,
        "resources": {"requests": asked, "limits": dict(asked)},
        "volumeMounts": [*_mounts(run), *(given.volume_mounts or ())],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        # So that `kubectl describe`, and a condition, can say why a worker died.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if role == WORKER:
        container["resources"]["limits"] |= packing_of(run.spec.workers).limits(run.spec.workers)
    if claim is not None:
        container["resources"]["claims"] = [{"name": DEVICE}]
    return _without_empty(container)


def _arguments(run: RunObject, settings: OperatorSettings, role: str) -> list[str]:
    workers = run.spec.workers
    arguments = [
        f"--run={RUN_FOLDER}",
        f"--life=$({LIFE})",
        f"--save-every={settings.save_every:g}",
    ]
    arguments += [f"--allow-import={module}" for module in settings.allow_import]
    arguments.append(f"--threads={whole_cores(workers.resources.cpu)}")
    if role != WORKER:
        return [*arguments, "--device=cpu", "--only-prepares"]
    packing = packing_of(workers)
    on_gpu = workers.gpu.sharing != "none"
    # Said, and not left to the worker: one that sees no GPU must not train on a CPU for weeks.
    arguments.append(f"--device={settings.gpu_device if on_gpu else 'cpu'}")
    share = packing.memory_share(workers)
    if share is not None:
        arguments.append(f"--gpu-share={share:g}")
    if workers.members_at_once != "auto" or on_gpu:
        at_once = f"--members-at-once={workers.members_at_once}"
        arguments += [at_once, f"--workers={workers.count}"]
    return arguments


def _mounts(run: RunObject) -> list[dict[str, Any]]:
    """Mount the run's own folder, and the data read-only; nothing else of the volume."""
    mounts: list[dict[str, Any]] = [
        {"name": VOLUME, "mountPath": RUN_FOLDER, "subPath": run.folder},
        {"name": SCRATCH_VOLUME, "mountPath": SCRATCH},
    ]
    if run.spec.data.path is not None or run.spec.config_file is not None:
        mounts.append({"name": VOLUME, "mountPath": DATA_FOLDER, "subPath": DATA, "readOnly": True})
    return mounts


def _without_empty(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value not in ("", [], {}, None)}


def refused(template: PodTemplate, claim: str) -> Iterator[str]:
    """Yield what a user's `podTemplate` says and must not, one sentence each.

    `claim` is the name of the shared claim.
    """
    for key in template.labels or ():
        if key.startswith(OURS):
            yield f"labels: found {key}; expected no label that the operator or the Job sets"
    for volume in template.volumes or ():
        name = volume.get("name")
        if name in (VOLUME, SCRATCH_VOLUME):
            yield f"volumes: found the name {name}; expected another: the operator uses it"
        yield from _refused_in_volume(name, volume)
        if _mapping(volume.get("persistentVolumeClaim")).get("claimName") == claim:
            yield (
                f"volumes: found the shared claim {claim}; expected another: it holds other runs, "
                "and a worker sees its own folder and the data alone"
            )
    for mount in template.volume_mounts or ():
        path = posixpath.normpath(str(mount.get("mountPath", "")))
        taken = [ours for ours in (RUN_FOLDER, DATA_FOLDER, SCRATCH) if _hides(path, ours)]
        # What is mounted inside of the volume would need a folder there; scratch has room for it.
        taken += [ours for ours in (RUN_FOLDER, DATA_FOLDER) if path.startswith(f"{ours}/")]
        if mount.get("name") in (VOLUME, SCRATCH_VOLUME):
            yield f"volumeMounts: found the volume {mount['name']}; expected one of your own"
        elif taken:
            yield f"volumeMounts: found {path}; expected a place outside of {taken[0]}"
    for variable in template.env or ():
        if variable.get("name") == LIFE:
            yield f"env: found {LIFE}; expected no such variable: the operator sets it"


def _refused_in_volume(name: object, volume: Mapping[str, Any]) -> Iterator[str]:
    for kind, value in volume.items():
        if kind != "name" and not isinstance(value, Mapping):
            yield f"volumes: {name}: found {kind}: {value!r}; expected the fields of {kind}"
    sources = _mapping(volume.get("projected")).get("sources") or []
    if any("serviceAccountToken" in _mapping(source) for source in sources):
        yield (
            f"volumes: {name}: found serviceAccountToken; expected none: a worker has no key to "
            "the cluster"
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _hides(path: str, ours: str) -> bool:
    return f"{ours}/".startswith(f"{path.rstrip('/')}/")
