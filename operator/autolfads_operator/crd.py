"""The CustomResourceDefinition, made from the models in `api.py`.

`python -m autolfads_operator.crd` prints `crds/autolfadsruns.yaml`; with `--docs` it prints
`docs/manifest.md`. `make verify` makes both again and fails on a difference.
"""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

import yaml

from autolfads_operator.api import GROUP, KIND, VERSION, AutoLFADSRun, Metadata
from autolfads_operator.reference import manual
from autolfads_operator.schema import Node, fields, structural

PLURAL = "autolfadsruns"

HEADER = f"""\
# Generated from operator/autolfads_operator/api.py: change that, not this, and then run
#   python -m autolfads_operator.crd > crds/{PLURAL}.yaml
"""

COLUMNS: tuple[tuple[Any, ...], ...] = (
    ("State", "string", ".status.state", "The run in one word."),
    ("Generation", "integer", ".status.generation", "The generation of training under way."),
    ("Best", "string", ".status.best.score", "The best score so far; lower is better."),
    ("Members", "integer", ".status.members.running", "Members that a worker trains now."),
    ("Workers", "integer", ".status.workers.ready", "Workers that have shown life."),
    ("GPU", "string", ".spec.workers.gpu.sharing", "How workers share GPUs.", 1),
    ("Time left", "string", ".status.timeLeft", "How long training can still take at most.", 1),
    ("Age", "date", ".metadata.creationTimestamp", "Since when the object exists."),
)


def _column(name: str, kind: str, path: str, description: str, priority: int = 0) -> dict[str, Any]:
    """Return a printer column; with `priority` 1 it is shown by `kubectl get --output=wide`."""
    column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return column | ({"priority": priority} if priority else {})


def crd() -> dict[str, Any]:
    """Return the CustomResourceDefinition as Kubernetes takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["alr"],
                "categories": ["ml"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema()},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.workers.count",
                            "statusReplicasPath": ".status.workers.ready",
                            "labelSelectorPath": ".status.workers.selector",
                        },
                    },
                    "additionalPrinterColumns": [_column(*column) for column in COLUMNS],
                }
            ],
        },
    }


def schema() -> dict[str, Any]:
    """Return the structural schema of the resource, `openAPIV3Schema`."""
    root = copy.deepcopy(structural(AutoLFADSRun))
    properties = root["properties"]
    # Kubernetes knows these three itself, and lets a schema restrict nothing but the name.
    for key in ("apiVersion", "kind"):
        del properties[key]["enum"]
    name = copy.deepcopy(structural(Metadata)["properties"]["name"])
    del name["description"]
    properties["metadata"] = {"type": "object", "properties": {"name": name}}
    root["required"] = ["spec"]
    _tell_defaults(root)
    return root


def _tell_defaults(root: Node) -> None:
    """Put defaults into descriptions: `kubectl explain` shows these alone."""
    for _, node in fields(root):
        if node.get("default") not in (None, {}, ""):
            node["description"] += f" Default: {json.dumps(node['default'])}."


class _Dumper(yaml.SafeDumper):
    """YAML without anchors: the same list in two places is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml() -> str:
    """Return the text of `crds/autolfadsruns.yaml`."""
    text = yaml.dump(crd(), Dumper=_Dumper, sort_keys=False, width=96, allow_unicode=True)
    return f"{HEADER}---\n{text}"


if __name__ == "__main__":
    sys.stdout.write(manual() if "--docs" in sys.argv[1:] else as_yaml())
