"""Each right of the operator taken away in turn: rights.py [--only VERB:RESOURCE]

With all of them five runs meet what they need: one ends and goes by its TTL, one has a worker that
hangs, one has DRA claims and fewer workers, one is suspended, one may not make its pods. Without
one of them somebody has to be told, in a condition or the log, in the API server's own words: that
shows both that each is needed and that its lack is seen.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pretended
from pretended import NAMESPACE, TICK, Mini, Stage, run_named, staged, start_operator

MOST = 75.0  # seconds until it must have been told
A_MOMENT = 6.0  # seconds from the log to a condition, where there is one
LOG = "the log"
WORKERS = 4
SHORT_OF_PATIENCE = "--silent-after=10"
UNCONFINED = {"seccompProfile": {"type": "Unconfined"}}
RUNS = [
    run_named("ends", WORKERS, ttlSecondsAfterFinished=1),
    run_named("hangs", WORKERS),
    run_named("shares", WORKERS, workers={"gpu": {"sharing": "dra", "deviceClass": "gpu"}}),
    run_named("rests", WORKERS),
    # Pod Security refuses the pods.
    run_named("barred", WORKERS, workers={"podTemplate": {"securityContext": UNCONFINED}}),
]
DEVICE_CLASS = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "DeviceClass",
    "metadata": {"name": "gpu"},
    "spec": {},
}


@dataclass(frozen=True)
class Right:
    """One verb on one resource, in the Role or the ClusterRole of this name."""

    role: str
    rule: int
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"

    @property
    def refusal(self) -> str:
        """What the API server says to who lacks it."""
        return f'cannot {self.verb} resource "{self.resource}"'


def roles() -> list[dict[str, Any]]:
    """Return the Role and the ClusterRole of deploy/."""
    objects = pretended.installation.operator_objects()
    return [each for each in objects if each["kind"] in ("Role", "ClusterRole")]


def rights() -> Iterator[Right]:
    """Yield all that the operator may do."""
    for role in roles():
        for number, rule in enumerate(role["rules"]):
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield Right(role["metadata"]["name"], number, resource, verb)


def roles_without(right: Right | None) -> list[dict[str, Any]]:
    """Return the roles, less one right."""
    found = roles()
    for role in found:
        if right is not None and role["metadata"]["name"] == right.role:
            rule = role["rules"][right.rule]
            others = [name for name in rule["resources"] if name != right.resource]
            kept = [verb for verb in rule["verbs"] if verb != right.verb]
            role["rules"] += [{**rule, "resources": others}] if others else []
            role["rules"][right.rule] = {**rule, "resources": [right.resource], "verbs": kept}
            if not kept:
                del role["rules"][right.rule]
    return found


@dataclass
class Scene:
    """The five runs with one operator, which lacks a right or none."""

    stage: Stage
    operator: subprocess.Popen[bytes]
    log: str
    resized: bool = False
    suspended: bool = False

    def kubectl(self, *words: str) -> str:
        return self.stage.plane.kubectl(f"--namespace={NAMESPACE}", *words)

    def step(self) -> None:
        """Let workers go on, and do what users do."""
        fleet = self.stage.fleet
        fleet.take_news()
        fleet.step()
        for played in fleet.runs.values():
            hangs = played.folder.root.name.startswith("hangs-")
            if hangs and not played.stuck and len(played.workers) == WORKERS:
                played.stuck.add(next(iter(played.workers)))

    def meddle(self) -> None:
        """Ask for fewer workers, and for a rest, once there are Jobs."""
        jobs = self.kubectl("get", "jobs", "-o=name").split()
        shared = [job for job in jobs if "/shares-" in job and "-gpu-" in job]
        if not self.resized and len(shared) == WORKERS // 2:
            self.kubectl("scale", "alr", "shares", f"--replicas={WORKERS // 2}")
            self.resized = True
        resting = [job for job in jobs if "/rests-" in job and "-workers-" in job]
        if not self.suspended and resting:
            self.kubectl("patch", "alr", "rests", "--type=merge", '-p={"spec":{"suspend":true}}')
            self.suspended = True

    def statuses(self) -> dict[str, dict[str, Any]]:
        found = json.loads(self.kubectl("get", "alr", "-o=json"))["items"]
        return {each["metadata"]["name"]: each.get("status", {}) for each in found}

    def told_in(self, words: str) -> str | None:
        """Return where the words are to be read."""
        for name, status in self.statuses().items():
            for condition in status.get("conditions", []):
                if words in condition["message"]:
                    return f"{name}: {condition['type']}={condition['reason']}"
        return LOG if words in self.said() else None

    def said(self) -> str:
        """Return the log; it is JSON, which quotes quotes."""
        return (self.stage.folder / self.log).read_text().replace('\\"', '"')


def played(stage: Stage, right: Right | None) -> Iterator[Scene]:
    """Yield the scene again and again while it goes on; put everything away at the end."""
    stage.plane.apply(*roles_without(right))
    log = f"{right}.log".replace("/", "-").replace(" ", "-")
    operator = start_operator(stage, SHORT_OF_PATIENCE, log=log)
    stage.plane.apply(*RUNS)
    scene = Scene(stage, operator, log)
    until, number = time.monotonic() + MOST, 0
    try:
        while time.monotonic() < until:
            scene.step()
            if number % 4 == 0:
                scene.meddle()
                yield scene
            number += 1
            time.sleep(TICK)
        operator.terminate()  # what it does as it leaves is a right, too
        operator.wait(20)
        yield scene
    finally:
        operator.kill()
        operator.wait()
        scene.kubectl("delete", "alr,jobs,pods,resourceclaims,leases", "--all", "--force",
                      "--grace-period=0", "--wait=true")  # fmt: skip
        stage.fleet.runs.clear()


def found(scenes: Iterator[Scene], words: str) -> tuple[str | None, float]:
    """Return where the words are told, best in a condition, and after how many seconds."""
    began = time.monotonic()
    logged = None
    for scene in scenes:
        seconds = time.monotonic() - began
        where = scene.told_in(words)
        if where == LOG:
            logged = seconds if logged is None else logged
        if where is not None and (where != LOG or seconds - (logged or 0.0) > A_MOMENT):
            return where, seconds
    return (LOG, logged) if logged is not None else (None, MOST)


def all_is_well(scene: Scene) -> str | None:
    """Return what is missing where no right is."""
    statuses = scene.statuses()
    claims = scene.kubectl("get", "resourceclaims", "-o=name").split()
    barred = json.dumps(statuses.get("barred", {}))
    missing = {
        "a right": "cannot" in scene.said(),
        "the end of the run that ends": "ends" in statuses,
        "the claim that is gone": not scene.resized or len(claims) != 1,
        "the rest": statuses.get("rests", {}).get("state") != "Suspended",
        "the end of the run with a worker that hangs": statuses.get("hangs", {}).get("state")
        != "Succeeded",
        "why no pod may be made": "PodSecurity" not in barred,
    }
    return next((what for what, lacks in missing.items() if lacks), None)


def main() -> int:
    """Take the rights away, and print who was told, and after how long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", help="a right, such as patch:jobs")
    given = parser.parse_args()
    mini = Mini(population=WORKERS, generations=2, burn_in=6, interval=6)
    untold = 0
    with staged(mini, nodes=2) as stage:
        stage.plane.apply(DEVICE_CLASS)
        if given.only is None:
            lacking: str | None = "a first look"
            for scene in played(stage, None):
                if (lacking := all_is_well(scene)) is None:
                    break
            print(f"with all rights: {lacking or 'nothing'} is missing", flush=True)
            untold += lacking is not None
        for right in rights():
            if given.only not in (None, f"{right.verb}:{right.resource}"):
                continue
            where, seconds = found(played(stage, right), right.refusal)
            after = f"after {seconds:.0f} s" if where else ""
            print(f"without {right!s:32} {where or 'NOBODY IS TOLD'} {after}", flush=True)
            untold += where is None
    return 1 if untold else 0


if __name__ == "__main__":
    sys.exit(main())
