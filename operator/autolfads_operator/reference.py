"""`docs/manifest.md`: every field of the manifest in a table, made from the models in `api.py`."""

from __future__ import annotations

import json

from autolfads_operator.api import GROUP, KIND, VERSION, AutoLFADSRun
from autolfads_operator.schema import (
    ANY_KEY,
    INT_OR_STRING,
    PRESERVE,
    Node,
    dotted,
    expected,
    fields,
    structural,
)

INTRODUCTION = f"""\
<!-- Generated from operator/autolfads_operator/api.py: change that, not this, and then run
     python -m autolfads_operator.crd --docs > docs/manifest.md -->

# The manifest

One file describes a run, on one machine (`autolfads run run.yaml`) and on a cluster
(`kubectl apply -f run.yaml`):

```yaml
apiVersion: {GROUP}/{VERSION}
kind: {KIND}
metadata: {{name: lorenz}}
spec:
  data: {{path: lorenz.h5}}
```

Only `spec.data` has to be given. Numbers are plain numbers (`1e-5` and `0.00001` both work; in
quotes they are texts, and refused). A null is the same as nothing. Where the default is *absent*,
the meaning says what holds without the field: often what a configuration says.
`{ANY_KEY}` stands for a key of your choice.
"""

STATUS_INTRODUCTION = """\
## Status

Written by the operator, shown by `kubectl get` and `kubectl describe`.
"""


def manual() -> str:
    """Return the text of `docs/manifest.md`."""
    root = structural(AutoLFADSRun)["properties"]
    parts = [
        INTRODUCTION,
        "## Metadata\n",
        _table(root["metadata"], ("metadata",)),
        "## Spec\n",
        _table(root["spec"], ("spec",)),
        STATUS_INTRODUCTION,
        _table(root["status"], ("status",)),
    ]
    return "\n".join(parts)


def _table(node: Node, path: tuple[str, ...]) -> str:
    rows = ["| Field | Takes | Default | Meaning |", "|---|---|---|---|"]
    required = _required(node, path)
    for at, field in fields(node, path):
        if "description" not in field:
            continue  # what lies in a list or mapping that says itself what it holds
        default = "required" if at in required else _default(field)
        rules = [rule["message"] for rule in field.get("x-kubernetes-validations", ())]
        if INT_OR_STRING in field:  # its rule says what it takes
            rules = []
        meaning = " ".join([field["description"], *(f"Rule: {rule}." for rule in rules)])
        cells = (f"`{dotted(at)}`", _takes(field), default, meaning)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _required(node: Node, path: tuple[str, ...]) -> set[tuple[str, ...]]:
    found = {(*path, name) for name in node.get("required", ())}
    for step, name in (("additionalProperties", ANY_KEY), ("items", "[]")):
        if step in node:
            found |= _required(node[step], (*path, name))
    for name, below in node.get("properties", {}).items():
        found |= _required(below, (*path, name))
    return found


def _takes(field: Node) -> str:
    if INT_OR_STRING in field:
        said: str = field["x-kubernetes-validations"][0]["message"]
        return said.removeprefix("expected ").replace("'", "`")
    if PRESERVE in field:
        return "a mapping of anything"
    return expected(field).replace("'", "`")


def _default(field: Node) -> str:
    if field.get("properties"):
        return "–"  # the defaults are those of the fields inside
    if "default" not in field:
        return "*absent*"
    return f"`{json.dumps(field['default'])}`"
