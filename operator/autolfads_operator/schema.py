"""From a pydantic model to a structural schema, the strict form that Kubernetes takes.

It is what the CustomResourceDefinition holds, what the reference table is printed from, and
where a manifest's unknown keys are looked up: one tree for all three. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

Node = dict[str, Any]

INT_OR_STRING = "x-kubernetes-int-or-string"
PRESERVE = "x-kubernetes-preserve-unknown-fields"
ANY_KEY = "<key>"
"""Stands in a path for a key that the user chooses."""

_KEPT = (
    "type", "description", "format", "enum", "minimum", "maximum", "pattern", "minLength",
    "maxLength", "maxProperties", "minProperties", "maxItems", "minItems", "required",
)  # fmt: skip


@cache
def structural(model: type[BaseModel]) -> Node:
    """Return the structural schema of `model`. Shared and cached: callers copy before changing.

    References are put in place, "or null" becomes `nullable` (unless the field says
    `nullable: False` itself), mappings of anything become preserve-unknown-fields.
    Raises `TypeError` for what a structural schema cannot say, such as a union of two types.
    """
    document = model.model_json_schema(by_alias=True)
    return _node(document, document.get("$defs", {}))


def _node(raw: Node, definitions: dict[str, Node]) -> Node:
    raw = _in_place(raw, definitions)
    options = raw.get("anyOf")
    if options is not None:
        values = [option for option in options if option.get("type") != "null"]
        if len(values) != 1 or len(values) == len(options):
            raise TypeError(f"a structural schema cannot hold this union: {options}")
        around = {key: value for key, value in raw.items() if key != "anyOf"}
        node = _node(values[0] | around, definitions)
        if raw.get("nullable", True):
            node["nullable"] = True
        return node
    node = {key: raw[key] for key in _KEPT if key in raw}
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    if raw.get("default") is not None:
        node["default"] = raw["default"]
    if "const" in raw:
        node["enum"] = [raw["const"]]
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if exclusive in raw:
            node |= {bound: raw[exclusive], exclusive: True}
    node |= {key: value for key, value in raw.items() if key.startswith("x-kubernetes-")}
    _children(raw, node, definitions)
    return node


def _children(raw: Node, node: Node, definitions: dict[str, Node]) -> None:
    """Add to `node` what lies below it."""
    if "properties" in raw:
        node["properties"] = {
            name: _node(child, definitions) for name, child in raw["properties"].items()
        }
    if "items" in raw:
        node["items"] = _node(raw["items"], definitions)
    further = raw.get("additionalProperties", False)
    if further is True:
        node[PRESERVE] = True
    elif further:
        node["additionalProperties"] = _node(further, definitions)


def _in_place(raw: Node, definitions: dict[str, Node]) -> Node:
    if "$ref" not in raw:
        return raw
    target = definitions[raw["$ref"].removeprefix("#/$defs/")]
    return target | {key: value for key, value in raw.items() if key != "$ref"}


def child(node: Node, key: str | int) -> Node | None:
    """Return the schema of `key` in `node`; None where the schema says nothing of it."""
    if isinstance(key, int):
        items: Node | None = node.get("items")
        return items
    found: Node | None = node.get("properties", {}).get(key, node.get("additionalProperties"))
    return found


def fields(node: Node, path: Sequence[str] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Yield (path, schema) of every field below `node`, parents before their children."""
    for name, below in node.get("properties", {}).items():
        yield (*path, name), below
        yield from fields(below, (*path, name))
    for step, name in (("additionalProperties", ANY_KEY), ("items", "[]")):
        if step in node:
            yield (*path, name), node[step]
            yield from fields(node[step], (*path, name))


def dotted(path: Sequence[str]) -> str:
    """Return `path` as text: `spec.data.path`, `status.conditions[].type`."""
    return ".".join(path).replace(".[]", "[]")


def expected(node: Node) -> str:
    """Return in words what `node` takes: `a whole number of at least 1`."""
    if "enum" in node:
        words = ", ".join(f"'{value}'" for value in node["enum"])
        return f"one of {words}" if len(node["enum"]) > 1 else words
    if INT_OR_STRING in node:
        return "a whole number or a text"
    kind = node["type"]
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _bounds(node)
    if kind == "string":
        return "a text that is not empty" if node.get("minLength") else "a text"
    if kind == "object" and "maxProperties" in node:
        return f"a mapping of at most {node['maxProperties']} entries"
    return {"boolean": "true or false", "object": "a mapping", "array": "a list"}[kind]


def _bounds(node: Node) -> str:
    bounds = []
    if "minimum" in node:
        word = "above" if node.get("exclusiveMinimum") else "of at least"
        bounds.append(f"{word} {node['minimum']:g}")
    if "maximum" in node:
        word = "below" if node.get("exclusiveMaximum") else "at most"
        bounds.append(f"{word} {node['maximum']}")
    return " " + " and ".join(bounds) if bounds else ""
