"""What nodes and DRA drivers offer, as far as packing has to know it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SHARING = "nvidia.com/gpu.sharing-strategy"  # none, mps or time-slicing
REPLICAS = "nvidia.com/gpu.replicas"
"""Labels of GPU feature discovery; nodes without it have neither."""

_DRIVER = re.compile(r"""device\.driver\s*==\s*(["'])([^"']+)\1""")


@dataclass(frozen=True)
class NodeOffer:
    """One node: how many it has to give of each extended resource, and its labels."""

    name: str
    resources: Mapping[str, int]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Offer:
    """What the cluster offers. `devices` counts those of ResourceSlices, by driver.

    `device_classes` names the one driver whose devices a class selects; None: it does not say.
    """

    nodes: tuple[NodeOffer, ...] = ()
    device_classes: Mapping[str, str | None] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)


def offer_of(
    nodes: Iterable[Mapping[str, Any]],
    device_classes: Iterable[Mapping[str, Any]] = (),
    slices: Iterable[Mapping[str, Any]] = (),
) -> Offer:
    """Return the offer of objects as the API has them. Nodes that take no pods do not count."""
    devices: dict[str, int] = {}
    for each in slices:
        spec = each.get("spec", {})
        driver = str(spec.get("driver", ""))
        devices[driver] = devices.get(driver, 0) + len(spec.get("devices") or [])
    return Offer(
        nodes=tuple(_node(node) for node in nodes if _takes_pods(node)),
        device_classes={str(each["metadata"]["name"]): _driver(each) for each in device_classes},
        devices=devices,
    )


def _driver(device_class: Mapping[str, Any]) -> str | None:
    """Return the driver that a class's CEL selectors ask for, where they say so in plain words."""
    for selector in device_class.get("spec", {}).get("selectors") or []:
        expression = str((selector.get("cel") or {}).get("expression", ""))
        if found := _DRIVER.search(expression):
            return found.group(2)
    return None


def is_of_gpus(resource: str) -> bool:
    """Return whether an extended resource is one of GPUs or of parts of them, by its name."""
    return "gpu" in resource or "/mig-" in resource


def _takes_pods(node: Mapping[str, Any]) -> bool:
    if node.get("spec", {}).get("unschedulable"):
        return False
    conditions = node.get("status", {}).get("conditions") or []
    ready = [each["status"] for each in conditions if each.get("type") == "Ready"]
    return not ready or ready[0] == "True"


def _node(node: Mapping[str, Any]) -> NodeOffer:
    resources = {}
    for name, amount in (node.get("status", {}).get("allocatable") or {}).items():
        if "/" in name:  # extended ones are whole numbers
            with contextlib.suppress(ValueError):
                resources[name] = int(amount)
    metadata = node["metadata"]
    return NodeOffer(str(metadata["name"]), resources, metadata.get("labels") or {})
