"""JSON schemas of all that an API server knows, for kubeconform: strict, one file for each kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kube.control_plane import ControlPlane

REFERENCE = "#/components/schemas/"
Known = dict[str, Any]


def write(plane: ControlPlane, folder: Path) -> None:
    """Write `deployment-apps-v1.json` and so on, as kubeconform calls them."""
    index = json.loads(plane.kubectl("get", "--raw", "/openapi/v3"))
    for place in index["paths"].values():
        document = json.loads(plane.kubectl("get", "--raw", place["serverRelativeURL"]))
        known = document.get("components", {}).get("schemas", {})
        for schema in known.values():
            kinds = schema.get("x-kubernetes-group-version-kind", [])
            if len(kinds) != 1 or "kind" not in schema.get("properties", {}):
                continue  # such as DeleteOptions, which is of every group
            group = kinds[0]["group"].split(".")[0]
            parts = [kinds[0]["kind"], *([group] if group else []), kinds[0]["version"]]
            path = folder / f"{'-'.join(parts).lower()}.json"
            path.write_text(json.dumps(_whole(schema, known, frozenset())))


def _whole(schema: Any, known: Known, within: frozenset[str]) -> Any:
    """Put what a schema refers to into its place, and allow nothing beside its properties.

    `within` are the references that this one is in: what contains itself may be anything there.
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        return {} if name in within else _whole(known[name], known, within | {name})
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if len(schema.get("allOf", [])) == 1:  # how a reference comes that has a description
        return _whole(schema["allOf"][0], known, within)
    dropped = ("default", "nullable")
    made = {key: value for key, value in schema.items() if key not in dropped}
    for key in ("allOf", "anyOf", "oneOf"):
        if key in made:
            made[key] = [_whole(each, known, within) for each in made[key]]
    for key in ("items", "additionalProperties", "not"):
        if isinstance(made.get(key), dict):
            made[key] = _whole(made[key], known, within)
    # A map of names: one of the properties can be called "default".
    if "properties" in schema:
        made["properties"] = {
            name: _whole(each, known, within) for name, each in schema["properties"].items()
        }
        open_ended = schema.get("x-kubernetes-preserve-unknown-fields")
        if "additionalProperties" not in made and not open_ended:
            made["additionalProperties"] = False
    return made
