"""What one machine does not use is said."""

from __future__ import annotations

from typing import Any

import pytest

from autolfads_operator.manifest import fields_without_meaning_locally, parse


def manifest(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": {"name": "run"},
        "spec": {"data": {"path": "spikes.h5"}} | spec,
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"population": 4, "workers": {"count": 2}, "pbt": {"patience": 2}}, []),
        ({"workers": {"gpu": {"sharing": "mps"}}}, ["spec.workers.gpu"]),
        ({"workers": {"gpu": {}}}, ["spec.workers.gpu"]),
        ({"workers": {"gpu": None, "perGPU": None}, "suspend": None}, []),
        ({"workers": {"perGPU": 2}}, ["spec.workers.perGPU"]),
        ({"suspend": False}, ["spec.suspend"]),
        (
            {
                "activeDeadlineSeconds": 5,
                "ttlSecondsAfterFinished": 5,
                "keepResults": True,
                "suspend": True,
                "workers": {"podTemplate": {"image": "x"}, "resources": {"cpu": 1}, "perGPU": 3},
            },
            [
                "spec.workers.perGPU",
                "spec.workers.resources",
                "spec.workers.podTemplate",
                "spec.suspend",
                "spec.keepResults",
                "spec.ttlSecondsAfterFinished",
                "spec.activeDeadlineSeconds",
            ],
        ),
    ],
)
def test_fields_for_clusters_are_named_when_they_were_set(
    spec: dict[str, Any], expected: list[str]
) -> None:
    assert fields_without_meaning_locally(parse(manifest(**spec), "run.yaml")) == expected
