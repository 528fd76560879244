"""What the API server says of a Job, with the fields that the user knows. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autolfads_operator.api import PodTemplate

OF_THE_CONTAINER = {"image", "imagePullPolicy", "env", "envFrom", "volumeMounts"}
OF_THE_METADATA = {"labels", "annotations"}

_FIELD = re.compile(
    r"spec\.template\.(?P<place>metadata\.|spec\.containers\[0\]\.|spec\.|)"
    r"(?P<name>[a-zA-Z]+)(?:\[(?P<number>\d+)\])?"
)
_AMOUNT = re.compile(
    r"spec\.template\.spec\.containers\[0\]\.resources\.(?:requests|limits)"
    r"(?:\.|\[)(?P<name>cpu|memory)\]?"
)


def in_the_manifest(said: str, template: PodTemplate, job: Mapping[str, Any]) -> str:
    """Return `said` with what came from `podTemplate` and `resources` called as it is there.

    Lists are counted from the user's first entry: the operator's own stand before them.
    """
    given = template.as_json()
    pod = job["spec"]["template"]

    def renamed(match: re.Match[str]) -> str:
        name, number = match["name"], match["number"]
        if name not in given or match["place"] not in _places_of(name):
            return match[0]
        field = f"spec.workers.podTemplate.{name}"
        if number is None:
            return field
        whole = pod["spec"]["containers"][0] if name in OF_THE_CONTAINER else pod["spec"]
        index = int(number) - (len(whole[name]) - len(given[name]))
        return f"{field}[{index}]" if index >= 0 else match[0]

    return _FIELD.sub(renamed, _AMOUNT.sub(r"spec.workers.resources.\g<name>", said))


def _places_of(name: str) -> tuple[str, ...]:
    if name in OF_THE_METADATA:
        return ("metadata.", "")
    return ("spec.containers[0].",) if name in OF_THE_CONTAINER else ("spec.",)
