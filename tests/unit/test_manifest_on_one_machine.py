"""What one machine does not use is said, and what does not exist yet is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from autolfads_operator.manifest import (
    fields_without_meaning_locally,
    parse,
    read_manifest,
    unsupported,
)
from autolfads_trainer.userinput import InputError


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


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"pbt": {"mode": "synchronous"}, "workers": {"membersAtOnce": 1}}, []),
        ({"workers": {"membersAtOnce": "auto"}}, []),
        ({"pbt": {"mode": "asynchronous"}}, []),
        (
            {"workers": {"membersAtOnce": 2}},
            ["spec.workers.membersAtOnce: not supported yet: 2; expected 1 or 'auto'"],
        ),
    ],
)
def test_what_does_not_exist_yet_is_told(spec: dict[str, Any], expected: list[str]) -> None:
    assert unsupported(parse(manifest(**spec), "run.yaml").spec) == expected


def test_reading_a_manifest_refuses_all_that_does_not_exist_yet(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    document = manifest(pbt={"mode": "asynchronous"}, workers={"membersAtOnce": 4})
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(InputError) as error:
        read_manifest(path)
    assert str(error.value).splitlines() == [
        f"{path}: spec.workers.membersAtOnce: not supported yet: 4; expected 1 or 'auto'",
    ]
