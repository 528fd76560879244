"""Reading a manifest: from YAML to `AutoLFADSRun`, or one clear error."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from autolfads_operator.api import GROUP, KIND, VERSION, AutoLFADSRun
from autolfads_operator.fields import RULE, Model
from autolfads_operator.schema import PRESERVE, Node, child, dotted, expected, fields, structural
from autolfads_trainer.userinput import InputError, nearest, shown
from autolfads_trainer.yaml_text import read_yaml

MOST_ERRORS = 5  # more at a time is a wall of text, and later ones follow from earlier ones

# Keys that only a configuration has at its top: a likely mix-up of the two files.
CONFIGURATION_KEYS = ("model", "datamodule", "trainer")

CLUSTER_ONLY = (
    "workers.perGPU",
    "workers.gpu",
    "workers.resources",
    "workers.podTemplate",
    "suspend",
    "keepResults",
    "ttlSecondsAfterFinished",
    "activeDeadlineSeconds",
)


def read_manifest(path: Path) -> AutoLFADSRun:
    """Read the manifest in `path`, for one machine or a cluster.

    Raises `InputError`: no such file, not YAML, or anything that `parse` refuses.
    """
    return parse(read_yaml(path, "manifest"), str(path))


def parse(document: Mapping[str, Any], source: str) -> AutoLFADSRun:
    """Check `document`, a manifest as a mapping, and return it as a run.

    `source` names it in errors. Raises `InputError`, one line for each of the first five things
    that are wrong.
    """
    _check_what_it_is(document, source)
    errors = [f"{path}: {what}" for path, what in _unknown_keys(document)]
    spec = document.get("spec")
    if isinstance(spec, Mapping):
        errors += _not_finite(spec.get("config"), "spec.config")
    run: AutoLFADSRun | None = None
    try:
        run = AutoLFADSRun.model_validate(copy.deepcopy(dict(document)))
    except ValidationError as error:
        errors += _in_words(error.errors(include_url=False))
    if run is None or errors:
        left_out = len(errors) - MOST_ERRORS
        lines = [f"{source}: {error}" for error in errors[:MOST_ERRORS]]
        if left_out > 0:
            lines.append(f"{source}: and {left_out} more like these")
        raise InputError("\n".join(lines))
    return run


def fields_without_meaning_locally(run: AutoLFADSRun) -> list[str]:
    """Return the fields that the user set and that one machine has no use for."""
    return [f"spec.{path}" for path in CLUSTER_ONLY if _is_set(run.spec, path)]


def _is_set(part: Model, path: str) -> bool:
    """Return whether the user wrote the field at `path` (as in YAML), whatever its value."""
    key, _, rest = path.partition(".")
    name = next(name for name, info in type(part).model_fields.items() if info.alias == key)
    if name not in part.model_fields_set:
        return False
    return _is_set(getattr(part, name), rest) if rest else True


def _check_what_it_is(document: Mapping[str, Any], source: str) -> None:
    """Refuse what is no AutoLFADSRun at all: its other errors would only mislead."""
    if "kind" not in document and any(key in document for key in CONFIGURATION_KEYS):
        raise InputError(
            f"{source}: looks like a configuration; expected a manifest (kind: {KIND}), which "
            "names a configuration in spec.configFile"
        )
    for key, wanted in (("kind", KIND), ("apiVersion", f"{GROUP}/{VERSION}")):
        if document.get(key) not in (None, wanted):
            raise InputError(f"{source}: {key}: found {shown(document[key])}; expected '{wanted}'")


def _unknown_keys(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (path, what is wrong) for every key that the schema does not have.

    Not left to pydantic: it would take the Python names of fields, which the API server refuses.
    """
    root = structural(AutoLFADSRun)
    places = [path for path, _ in fields(root) if path[0] == "spec"]

    def walk(node: Node, value: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        if not isinstance(value, dict) or PRESERVE in node or path == ("status",):
            return
        for key, below in value.items():
            at = (*path, str(key))
            schema = child(node, key)
            if schema is not None:
                yield from walk(schema, below, at)
            elif "properties" in node:
                yield ".".join(at), f"unknown key{_hint(str(key), node['properties'], places)}"

    return walk(root, dict(document), ())


def _not_finite(value: object, path: str) -> Iterator[str]:
    """Yield an error for each number that JSON has no word for: it would become null unnoticed."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path}: found {value}; expected a finite number"
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _not_finite(below, f"{path}.{key}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _not_finite(below, f"{path}.{index}")


def _hint(key: str, known: Iterable[str], places: Sequence[tuple[str, ...]]) -> str:
    """Return where a right word in the wrong place belongs, or the nearest of the `known`."""
    found = [dotted(path) for path in places if path[-1] == key]
    if found:
        return f" (it belongs at {' or '.join(found)})"
    return nearest(key, known) or f"; expected one of {', '.join(known)}"


def _in_words(errors: Sequence[ErrorDetails]) -> Iterator[str]:
    seen = set()
    for error in errors:
        path, node = _place(error["loc"])
        if error["type"] == "extra_forbidden" or path in seen:
            continue  # an unknown key is told by `_unknown_keys`
        seen.add(path)
        if error["type"] == RULE:
            what = error["msg"]
        elif error["type"] == "missing":
            what = f"missing; expected {expected(node)}"
        else:
            what = f"found {_found(error['input'], node)}; expected {expected(node)}"
        yield f"{'.'.join(path)}: {what}"


def _place(location: Sequence[str | int]) -> tuple[tuple[str, ...], Node]:
    """Return the path and schema that pydantic's `location` points at."""
    node, path = structural(AutoLFADSRun), []
    for step in location:
        below = child(node, step)
        if below is None:
            break
        node = below
        path.append(str(step))
    return tuple(path), node


def _found(value: object, node: Node) -> str:
    """Return `value` as written, with a word of help where quotes hide a number."""
    if isinstance(value, str) and node.get("type") in ("integer", "number"):
        with contextlib.suppress(ValueError):
            float(value)
            return f"the text {shown(value)} (take the quotes away)"
    return shown(value)
