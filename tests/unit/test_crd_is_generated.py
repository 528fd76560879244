"""The CustomResourceDefinition says what the models say, in the form that Kubernetes takes."""

from __future__ import annotations

import re
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from autolfads_operator.api import AutoLFADSRun, RunSpec
from autolfads_operator.crd import as_yaml, crd, schema
from autolfads_operator.manifest import parse
from autolfads_operator.reference import manual
from autolfads_operator.schema import structural

ROOT = Path(__file__).parents[2]
Node = dict[str, Any]

# What a structural schema may hold: https://kubernetes.io/docs, "Specifying a structural schema".
ALLOWED = {
    "type", "description", "format", "enum", "default", "nullable", "required", "properties",
    "additionalProperties", "items", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "pattern", "minLength", "maxLength", "maxProperties", "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
}  # fmt: skip


def nodes(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, below in node.get("properties", {}).items():
        yield from nodes(below, f"{path}.{name}")
    for step in ("additionalProperties", "items"):
        if step in node:
            yield from nodes(node[step], f"{path}.<{step}>")


NODES = dict(nodes(schema()))
POD, CONTENT = ".spec.workers.podTemplate.", ("<additionalProperties>", "<items>")


@pytest.mark.parametrize(
    ("path", "text"),
    [("crds/autolfadsruns.yaml", as_yaml()), ("docs/manifest.md", manual())],
    ids=["crd", "reference"],
)
def test_the_file_in_the_repository_is_the_generated_one(path: str, text: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("arguments", "text"), [([], as_yaml()), (["--docs"], manual())], ids=["crd", "reference"]
)
def test_the_command_prints_it(arguments: list[str], text: str) -> None:
    command = [sys.executable, "-m", "autolfads_operator.crd", *arguments]
    printed = subprocess.run(command, check=True, capture_output=True).stdout
    assert printed.decode("utf-8") == text


def test_the_yaml_is_the_definition_and_says_that_it_is_generated() -> None:
    text = as_yaml()
    assert text.startswith("# Generated from ")
    assert yaml.safe_load(text) == crd()
    assert not re.search(r"[:-] [&*]\w", text)  # no anchors


@pytest.mark.parametrize(("path", "node"), NODES.items(), ids=list(NODES))
def test_every_node_is_structural(path: str, node: Node) -> None:
    assert set(node) <= ALLOWED
    int_or_string = node.get("x-kubernetes-int-or-string", False)
    assert ("type" in node) != int_or_string
    if not int_or_string:
        assert node["type"] in {"object", "array", "string", "integer", "number", "boolean"}
    if node.get("type") == "object":
        held = {"properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"}
        assert len(held & set(node)) == 1
    if node.get("type") == "array":
        assert "items" in node
    assert set(node.get("required", ())) <= set(node.get("properties", {}))
    is_content = path.endswith(CONTENT)  # its parent describes it
    if not path.startswith(".metadata") and not is_content:
        assert node["description"]


@pytest.mark.parametrize(("path", "node"), NODES.items(), ids=list(NODES))
def test_rules_ask_only_for_fields_that_have_no_null(path: str, node: Node) -> None:
    # With `nullable`, a null would be kept, and has() would be true of nothing.
    for rule in node.get("x-kubernetes-validations", ()):
        assert set(rule) == {"rule", "message"}
        if "x-kubernetes-int-or-string" in node:
            continue  # of one value
        for name in re.findall(r"self\.(\w+)", rule["rule"]):
            assert "nullable" not in node["properties"][name], path


def test_nothing_is_said_of_metadata_but_the_name() -> None:
    metadata = schema()["properties"]["metadata"]
    assert metadata == {
        "type": "object",
        "properties": {"name": metadata["properties"]["name"]},
    }
    assert metadata["properties"]["name"]["maxLength"] == 63


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        if typing.get_origin(annotation) is not typing.Literal:
            yield from models_in(argument)


def paths_of_models(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for info in model.model_fields.values():
        at = f"{path}.{info.alias}"
        yield at
        for below in models_in(info.annotation):
            outer = {typing.get_origin(part) for part in _parts(info.annotation)}
            if dict in outer:
                at += ".<additionalProperties>"
            elif list in outer:
                at += ".<items>"
            if outer & {dict, list}:
                yield at
            yield from paths_of_models(below, at)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    if typing.get_origin(annotation) in {typing.Union, types.UnionType, typing.Annotated}:
        for argument in typing.get_args(annotation):
            yield from _parts(argument)


def test_the_schema_has_the_fields_of_the_models() -> None:
    fields = set(paths_of_models(AutoLFADSRun)) - {".metadata.namespace"}
    plain = {path for path in NODES if path.startswith(POD) and path.endswith(CONTENT)}
    assert set(NODES) - plain - {""} == fields
    assert len(fields) > 60


def defaulted(node: Node, value: Any) -> Any:
    """Fill in defaults as the API server does: parents first, then within what is there."""
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for name, below in node.get("properties", {}).items():
        if name not in filled and "default" in below:
            filled[name] = below["default"]
        if name in filled:
            filled[name] = defaulted(below, filled[name])
    for name in value:
        if "additionalProperties" in node:
            filled[name] = defaulted(node["additionalProperties"], value[name])
    return filled


@pytest.mark.parametrize(
    "spec",
    [
        {"data": {"path": "a.h5"}},
        {"data": {"generate": {"problem": "lorenz"}}},
        {"data": {"path": "a.h5"}, "workers": {"gpu": {"sharing": "dra"}, "resources": {}}},
        {"data": {"path": "a.h5"}, "pbt": {"searchSpace": {"model.x": {"min": 1, "max": 2}}}},
    ],
)
def test_the_api_server_and_the_models_fill_in_the_same_defaults(spec: Node) -> None:
    document = {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": {"name": "x"},
        "spec": spec,
    }
    assert defaulted(schema(), document)["spec"] == parse(document, "x").spec.as_json()


def test_what_a_configuration_can_say_has_no_default() -> None:
    pbt = schema()["properties"]["spec"]["properties"]["pbt"]["properties"]
    assert [name for name, node in pbt.items() if "default" in node] == ["mode"]
    required = {f".spec.{name}" for name in NODES[".spec"]["required"]}
    for path in (".spec.population", ".spec.seed", ".spec.export.posteriorSamples"):
        assert "default" not in NODES[path]
        assert path not in required


def test_free_form_parts_keep_what_is_in_them() -> None:
    kept = [path for path, node in NODES.items() if "x-kubernetes-preserve-unknown-fields" in node]
    assert [path for path in kept if not path.startswith(POD)] == [".spec.config"]
    free = {path.removeprefix(POD).split(".")[0] for path in kept if path.startswith(POD)}
    assert free == {
        "affinity",
        "env",
        "envFrom",
        "imagePullSecrets",
        "securityContext",
        "tolerations",
        "topologySpreadConstraints",
        "volumeMounts",
        "volumes",
    }


def test_limits_are_those_of_the_models() -> None:
    weight = NODES[".spec.pbt.searchSpace.<additionalProperties>.exploreWeight"]
    assert weight["minimum"] == 0
    assert weight["exclusiveMinimum"] is True
    assert weight["maximum"] == 10
    assert NODES[".spec.population"]["minimum"] == 1
    (rule,) = NODES[".spec.workers.membersAtOnce"]["x-kubernetes-validations"]
    assert rule["rule"] == "type(self) == int ? self >= 1 : self.matches('^auto$')"
    assert NODES[".spec.pbt.mode"]["enum"] == ["synchronous", "asynchronous"]
    assert NODES[".spec.data"]["x-kubernetes-validations"][0]["rule"] == (
        "has(self.path) != has(self.generate)"
    )


def test_names_columns_and_subresources() -> None:
    spec = crd()["spec"]
    assert spec["group"] == "autolfads.io"
    assert spec["scope"] == "Namespaced"
    assert spec["names"] == {
        "kind": "AutoLFADSRun",
        "listKind": "AutoLFADSRunList",
        "plural": "autolfadsruns",
        "singular": "autolfadsrun",
        "shortNames": ["alr"],
        "categories": ["ml"],
    }
    (version,) = spec["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert version["subresources"]["status"] == {}
    columns = version["additionalPrinterColumns"]
    assert [column["name"] for column in columns] == [
        "State", "Generation", "Best", "Members", "Workers", "GPU", "Time left", "Age",
    ]  # fmt: skip
    assert [column["name"] for column in columns if column.get("priority")] == ["GPU", "Time left"]
    paths = [column["jsonPath"] for column in columns if column["name"] != "Age"]
    paths += version["subresources"]["scale"].values()
    assert set(paths) <= set(NODES)
    for column in columns[:-1]:
        assert NODES[column["jsonPath"]]["type"] == column["type"]


def test_the_number_of_workers_always_has_a_value_to_scale() -> None:
    spec = defaulted(schema()["properties"]["spec"], {})
    assert spec["workers"]["count"] == 8


def test_every_field_stands_in_the_reference() -> None:
    rows = set(re.findall(r"^\| `([^`]+)`", manual(), flags=re.MULTILINE))
    for path, node in NODES.items():
        if path.startswith((".spec.", ".status.")) and "description" in node:
            row = path.removeprefix(".").replace(".<items>", "[]")
            assert row.replace("<additionalProperties>", "<key>") in rows


def test_a_union_that_kubernetes_cannot_say_is_refused() -> None:
    class Loose(BaseModel):
        either: int | str

    with pytest.raises(TypeError, match="cannot hold this union"):
        structural(Loose)


def test_the_shared_schema_is_not_changed_by_making_the_definition() -> None:
    schema()["properties"]["spec"].clear()
    assert "data" in structural(RunSpec)["properties"]
    assert structural(AutoLFADSRun)["properties"]["kind"]["enum"] == ["AutoLFADSRun"]
