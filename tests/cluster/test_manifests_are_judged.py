"""What `kubectl apply` says of good and bad manifests: the real API server's own words."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from kube.control_plane import ControlPlane
from manifest_cases import BAD, CHANGES, GOOD, NAMES


def manifest(name: str = "a", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"data": {"path": "lorenz.h5"}} | spec,
    }


def apply(
    plane: ControlPlane, body: dict[str, Any], *options: str
) -> subprocess.CompletedProcess[str]:
    return plane.try_kubectl("apply", *options, "-f", "-", text=json.dumps(body))


def in_one_line(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("case", GOOD)
def test_a_good_manifest_is_taken(plane: ControlPlane, case: str) -> None:
    done = apply(plane, manifest(**GOOD[case]), "--dry-run=server")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", BAD)
def test_a_bad_manifest_is_refused_with_what_to_change(plane: ControlPlane, case: str) -> None:
    spec, message = BAD[case]
    done = apply(plane, manifest(**spec), "--dry-run=server")
    assert done.returncode == 1
    assert message in in_one_line(done)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_name_is_refused(plane: ControlPlane, name: str) -> None:
    done = apply(plane, manifest(name), "--dry-run=server")
    assert done.returncode == 1
    assert NAMES[name] in in_one_line(done)


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_of_a_run_that_is_there(plane: ControlPlane, case: str) -> None:
    before, change, message = CHANGES[case]
    assert apply(plane, manifest("changed", **before)).returncode == 0
    try:
        patch = json.dumps({"spec": change})
        done = plane.try_kubectl("patch", "alr", "changed", "--type=merge", "-p", patch)
    finally:
        plane.kubectl("delete", "alr", "changed")
    assert (done.returncode == 0) == (message is None), done.stderr
    assert (message or "") in in_one_line(done)


def test_defaults_are_filled_in(plane: ControlPlane) -> None:
    done = apply(plane, manifest(), "--dry-run=server", "-o", "json")
    spec = json.loads(done.stdout)["spec"]
    assert spec["workers"]["count"] == 8
    assert spec["workers"]["gpu"]["sharing"] == "timeSlicing"
    assert spec["keepResults"] is True
    assert "population" not in spec


def test_short_name_and_category(plane: ControlPlane) -> None:
    for name in ("alr", "ml", "autolfadsrun"):
        assert plane.try_kubectl("get", name).returncode == 0


def test_scale_changes_the_number_of_workers(plane: ControlPlane) -> None:
    apply(plane, manifest("scaled"))
    plane.kubectl("scale", "alr", "scaled", "--replicas=3")
    assert plane.get("alr", "scaled")["spec"]["workers"]["count"] == 3
    plane.kubectl("delete", "alr", "scaled")


def fields(plane: ControlPlane) -> list[str]:
    lines = plane.kubectl("explain", "alr", "--recursive").splitlines()
    return [line.split("\t")[0].strip() for line in lines if "\t<" in line]


def test_explain_is_a_manual(plane: ControlPlane) -> None:
    """Every field that we define has a description."""
    assert len(fields(plane)) > 100
    for path in ("spec", "spec.pbt.searchSpace", "spec.workers.podTemplate", "status.conditions"):
        said = plane.kubectl("explain", f"alr.{path}")
        assert "<no description>" not in said, said
