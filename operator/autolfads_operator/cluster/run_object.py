"""One AutoLFADSRun as the API server holds it, read once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autolfads_operator.api import GROUP, KIND, VERSION, RunSpec
from autolfads_operator.cluster.names import QUEUE, RUN_NAME, RUN_UID, RUNS
from autolfads_operator.manifest import parse

LONGEST_STEM = 34  # of the run's name in the names of its children, which are host names of pods


@dataclass(frozen=True)
class RunObject:
    """A run's object: who it is, and what it asks for."""

    name: str
    namespace: str
    uid: str
    generation: int
    labels: Mapping[str, str]
    spec: RunSpec
    status: Mapping[str, Any]  # as it was last seen in the API
    created: str
    deleting: bool

    @property
    def stem(self) -> str:
        """What names of children begin with: a DNS label, and no other run's."""
        readable = re.sub(r"[^a-z0-9]+", "-", self.name)[:LONGEST_STEM].strip("-")
        return f"{readable}-{self.uid[:8]}"

    @property
    def folder(self) -> str:
        """The run's folder, relative to the volume's root."""
        return f"{RUNS}/{self.namespace}/{self.name}-{self.uid}"

    @property
    def queue(self) -> str | None:
        """The Kueue queue that its Jobs wait in."""
        return self.labels.get(QUEUE)

    @property
    def own_labels(self) -> dict[str, str]:
        """Labels of everything that is the run's."""
        return {
            "app.kubernetes.io/name": "autolfads",
            "app.kubernetes.io/managed-by": "autolfads-operator",
            RUN_UID: self.uid,
            RUN_NAME: self.name,
        }

    @property
    def owner_reference(self) -> dict[str, Any]:
        """What makes Kubernetes remove a child when the run is deleted."""
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
        }

    @property
    def made_from(self) -> str:
        """The hash of what Jobs' templates are made from: when it changes, they are made anew.

        The operator's own settings and version are no part of it: an upgrade leaves pods alone.
        """
        settings = self.spec.workers.as_json()
        settings.pop("count", None)
        text = json.dumps(settings, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def read_run(body: Mapping[str, Any]) -> RunObject:
    """Return the run of an object. Raises `InputError` where it is none that this version knows."""
    metadata = body["metadata"]
    document = {key: body[key] for key in ("apiVersion", "kind", "spec") if key in body}
    name, namespace = str(metadata["name"]), str(metadata["namespace"])
    document["metadata"] = {"name": name, "namespace": namespace}
    return RunObject(
        name=name,
        namespace=namespace,
        uid=str(metadata["uid"]),
        generation=int(metadata["generation"]),
        labels=metadata.get("labels") or {},
        spec=parse(document, name).spec,
        status=body.get("status") or {},
        created=str(metadata.get("creationTimestamp", "")),
        deleting="deletionTimestamp" in metadata,
    )


def metadata_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's metadata."""
    found: Mapping[str, Any] = body.get("metadata", {})
    return found


def uid_of(body: Mapping[str, Any]) -> str:
    """Return an object's uid."""
    return str(metadata_of(body)["uid"])


def run_of(body: Mapping[str, Any]) -> str | None:
    """Return the uid of the run that a child belongs to."""
    found = metadata_of(body).get("labels", {}).get(RUN_UID)
    return str(found) if found is not None else None
