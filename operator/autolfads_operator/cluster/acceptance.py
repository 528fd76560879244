"""Whether a run can be taken up at all: a chain of checks, the first that objects counts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from autolfads_operator.cluster.children.pod import refused as refused_in_template
from autolfads_operator.cluster.names import DATA, Reason
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.fields import Model

DEEPEST = 100  # levels


@dataclass(frozen=True)
class Asked:
    """What the checks look at; `claim` is None where there is none of the name `claim_name`."""

    run: RunObject
    claim_name: str
    claim: Mapping[str, Any] | None
    owner: tuple[int, int] = (10001, 10001)  # user and group of the volume's files


def objection(asked: Asked) -> Finding | None:
    """Return why the run is not taken up; None: it is."""
    for check in CHECKS:
        finding = check(asked)
        if finding is not None:
            return finding
    return None


def _not_too_deep(asked: Asked) -> Finding | None:
    """Nobody writes that by hand, and each reader of it recurses."""
    level: list[Any] = [asked.run.spec]
    depth = 0
    while level:
        depth += 1
        if depth > DEEPEST:
            return Finding(
                Reason.UNSUPPORTED,
                f"spec: found more than {DEEPEST} levels of objects and lists in each other; "
                "expected a configuration that is not as deep",
            )
        inner = [child for each in level for child in _children(each)]
        level = [child for child in inner if isinstance(child, (dict, list, Model))]
    return None


def _children(value: Any) -> list[Any]:
    if isinstance(value, Model):
        return list(vars(value).values())
    return list(value.values()) if isinstance(value, dict) else list(value)


def _paths_within(asked: Asked) -> Finding | None:
    spec = asked.run.spec
    for field, text in (("data.path", spec.data.path), ("configFile", spec.config_file)):
        path = PurePosixPath(text) if text is not None else None
        if path is not None and (path.is_absolute() or ".." in path.parts):
            return Finding(
                Reason.PATH_OUTSIDE,
                f"spec.{field}: found {text}; expected a path relative to the folder {DATA}/ of "
                f"the claim {asked.claim_name}, without '..'",
            )
    return None


def _template_fits(asked: Asked) -> Finding | None:
    sentences = list(refused_in_template(asked.run.spec.workers.pod_template, asked.claim_name))
    if not sentences:
        return None
    said = "; ".join(f"spec.workers.podTemplate.{sentence}" for sentence in sentences)
    return Finding(Reason.POD_TEMPLATE_INVALID, said)


def _is_the_same_user(asked: Asked) -> Finding | None:
    """The operator publishes and removes what workers have written."""
    context = asked.run.spec.workers.pod_template.security_context or {}
    for field, expected in zip(("runAsUser", "runAsGroup"), asked.owner, strict=True):
        found = context.get(field, expected)
        if found != expected:
            return Finding(
                Reason.POD_TEMPLATE_INVALID,
                f"spec.workers.podTemplate.securityContext.{field}: found {found}; expected "
                f"{expected}, or no such field: workers write to the shared volume as the operator "
                "does. To run as another, install the operator so (its --uid and --gid)",
            )
    return None


def _claim_is_shared(asked: Asked) -> Finding | None:
    return claim_objection(asked.claim_name, asked.claim)


def claim_objection(name: str, claim: Mapping[str, Any] | None) -> Finding | None:
    """Return why a claim cannot be the shared one; None: it can. `claim` is None if missing."""
    if claim is None:
        return Finding(
            Reason.CLAIM_MISSING,
            f"no PersistentVolumeClaim {name} in this namespace; expected the shared claim that "
            "the operator was installed with: make it, or install the operator with another",
        )
    modes = claim.get("spec", {}).get("accessModes") or []
    if "ReadWriteMany" not in modes:
        return Finding(
            Reason.CLAIM_NOT_SHARED,
            f"the PersistentVolumeClaim {name} has {', '.join(modes) or 'no access mode'}; "
            "expected ReadWriteMany (EFS, FSx for Lustre, NFS), since workers on all nodes and the "
            "operator share it",
        )
    return None


CHECKS: tuple[Callable[[Asked], Finding | None], ...] = (
    _not_too_deep,
    _paths_within,
    _template_fits,
    _is_the_same_user,
    _claim_is_shared,
)
