"""What a run waits for its user with. Pure: it is remembered in the status, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autolfads_operator.cluster.conditions import Held
from autolfads_operator.cluster.names import Condition, Reason
from autolfads_operator.cluster.packing import Finding
from autolfads_operator.cluster.pod_facts import PodFacts

HELD = (
    (Condition.DATA_READY, Reason.INPUT_REFUSED),
    (Condition.DATA_READY, Reason.WORKERS_DIE),
    (Condition.WORKERS_READY, Reason.WORKERS_DIE),
    (Condition.PROGRESSING, Reason.RUN_FOLDER_BROKEN),
    (Condition.PROGRESSING, Reason.STOPPED),
)
"""What is not tried again before the user has changed something, and where it is said."""


def held_by_deaths(condition: str, last: PodFacts) -> Held:
    """Return that a run waits because pods die as they start; `last` is the last that did."""
    said = f"the last one said:\n{last.last_words}" if last.last_words else "they said nothing"
    if last.exit_code == 0:
        said += (
            "\nThey ended as if all were done: is spec.workers.podTemplate.image, or the "
            "operator's own, an image of autolfads?"
        )
    message = (
        f"worker after worker ended as it started (exit code {last.exit_code}); {said}\nWhen that "
        "is mended, set spec.suspend: true and then false, and the run goes on"
    )
    return Held(condition, Finding(Reason.WORKERS_DIE, message))


def held_by(status: Mapping[str, Any], generation: int) -> Held | None:
    """Return what a status says that the run waits for, unless its user has changed it since."""
    for each in status.get("conditions") or []:
        if (
            (each["type"], each["reason"]) in HELD
            and each["status"] == "False"
            and each.get("observedGeneration") == generation
        ):
            return Held(each["type"], Finding(each["reason"], each["message"]))
    return None
