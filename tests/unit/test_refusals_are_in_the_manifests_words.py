"""The API server refuses a Job; the user has written a manifest."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_examples import SETTINGS, run_object

from autolfads_operator.cluster.children.in_the_manifest import in_the_manifest
from autolfads_operator.cluster.children.jobs import prepare_job

TEMPLATE: dict[str, Any] = {
    "labels": {"a": "b"},
    "volumes": [{"name": "mine", "emptyDir": {}}],
    "volumeMounts": [{"name": "mine", "mountPath": "/mine"}, {"name": "no", "mountPath": "/no"}],
    "securityContext": {"runAsUser": 7},
    "tolerations": [{"key": "spot"}],
}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "spec.template.spec.containers[0].volumeMounts[4].name: Not found: no",
            "spec.workers.podTemplate.volumeMounts[1].name: Not found: no",
        ),
        (
            'unknown field "spec.template.spec.volumes[2].emptyDirr"',
            'unknown field "spec.workers.podTemplate.volumes[0].emptyDirr"',
        ),
        ("spec.template.spec.tolerations[0].kee", "spec.workers.podTemplate.tolerations[0].kee"),
        ("spec.template.labels: Invalid", "spec.workers.podTemplate.labels: Invalid"),
        ("spec.template.metadata.labels: x", "spec.workers.podTemplate.labels: x"),
        (
            "spec.template.spec.securityContext.runAsUsr",
            "spec.workers.podTemplate.securityContext.runAsUsr",
        ),
        (
            'spec.template.spec.containers[0].resources.requests[cpu]: Invalid value: "3"',
            'spec.workers.resources.cpu: Invalid value: "3"',
        ),
        (
            "spec.template.spec.containers[0].resources.limits.memory: x",
            "spec.workers.resources.memory: x",
        ),
        (
            "spec.template.spec.containers[0].resources.limits[nvidia.com/gpu]: x",
            "spec.template.spec.containers[0].resources.limits[nvidia.com/gpu]: x",
        ),
        # What the operator has made itself keeps its name.
        ("spec.template.spec.volumes[0].name", "spec.template.spec.volumes[0].name"),
        (
            "spec.template.spec.containers[0].securityContext.x",
            "spec.template.spec.containers[0].securityContext.x",
        ),
        ("spec.template.spec.affinity", "spec.template.spec.affinity"),
        ("spec.completions: 3", "spec.completions: 3"),
    ],
)
def test_fields_are_called_as_the_user_calls_them(said: str, expected: str) -> None:
    run = run_object(workers={"podTemplate": TEMPLATE})
    job = prepare_job(run, SETTINGS)
    assert in_the_manifest(said, run.spec.workers.pod_template, job) == expected
