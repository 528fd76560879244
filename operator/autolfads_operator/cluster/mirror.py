"""What the cluster holds of runs and their children, as last heard.

Events bring it up to date within a second; a full list every minute puts right what they missed
(a watch can break without a word, and what vanished meanwhile is in no event).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autolfads_operator.cluster.run_object import metadata_of, run_of, uid_of

SPEC_OF_JOBS = frozenset({"parallelism", "completions", "suspend"})
SPEC_OF_PODS = frozenset({"nodeName"})
MOST_GONE = 10_000  # uids of deleted objects that are kept in mind

Object = Mapping[str, Any]


@dataclass
class Shelf:
    """Objects of one kind, by uid. The newest version of each counts, whatever comes first.

    `spec` names the fields of their specs that are kept; None: all.
    """

    spec: frozenset[str] | None = None
    objects: dict[str, Object] = field(default_factory=dict)
    heard_at: float = field(default_factory=time.monotonic)  # when something was last heard
    _of_run: dict[str, dict[str, Object]] = field(default_factory=dict)
    _gone: dict[str, None] = field(default_factory=dict)

    def of_run(self, run: str) -> list[Object]:
        """Return the objects that belong to the run of this uid."""
        return list(self._of_run.get(run, {}).values())

    def note(self, body: Object, *, deleted: bool = False) -> bool:
        """Take an object as an event brings it; return whether that is news."""
        self.heard_at = time.monotonic()
        uid = uid_of(body)
        if deleted:
            self._gone[uid] = None
            while len(self._gone) > MOST_GONE:
                del self._gone[next(iter(self._gone))]
            return self._forget(uid)
        known = self.objects.get(uid)
        if uid in self._gone or (known is not None and _version(known) >= _version(body)):
            return False
        self.objects[uid] = body = self.in_short(body)
        if (run := run_of(body)) is not None:
            self._of_run.setdefault(run, {})[uid] = body
        return True

    def replace(self, bodies: Iterable[Object], version: int) -> set[str]:
        """Take a full list, of the API's `version`; return the runs' uids of which it has news."""
        self.heard_at = time.monotonic()
        bodies = list(bodies)
        listed = {uid_of(body) for body in bodies}
        news = {_concerns(body) for body in bodies if self.note(body)}
        # What was made after the list was is not in it.
        for body in [each for uid, each in self.objects.items() if uid not in listed]:
            if _version(body) <= version:
                self._forget(uid_of(body))
                news.add(_concerns(body))
        return news

    def in_short(self, body: Object) -> Object:
        """Leave out what decides nothing here: most of a pod, of which there are thousands."""
        metadata = {k: v for k, v in metadata_of(body).items() if k != "managedFields"}
        short = {**body, "metadata": metadata}
        if self.spec is not None:
            short["spec"] = {k: v for k, v in body.get("spec", {}).items() if k in self.spec}
        return short

    def _forget(self, uid: str) -> bool:
        body = self.objects.pop(uid, None)
        if body is None:
            return False
        run = run_of(body)
        if run is not None:
            siblings = self._of_run[run]
            del siblings[uid]
            if not siblings:
                del self._of_run[run]
        return True


def _concerns(body: Object) -> str:
    return run_of(body) or uid_of(body)


def _version(body: Object) -> int:
    """Return the resourceVersion: a number that grows (comparable since Kubernetes 1.35)."""
    text = str(metadata_of(body).get("resourceVersion", ""))
    return int(text) if text.isdigit() else 0


@dataclass
class Mirror:
    """Runs, and the Jobs and pods that belong to them."""

    runs: Shelf = field(default_factory=Shelf)
    jobs: Shelf = field(default_factory=lambda: Shelf(SPEC_OF_JOBS))
    pods: Shelf = field(default_factory=lambda: Shelf(SPEC_OF_PODS))
    is_complete: bool = False  # after the first full list: before it, nobody is missing
