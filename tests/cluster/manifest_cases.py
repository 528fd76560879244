"""Good and bad manifests, and what the API server says of each."""

from __future__ import annotations

from typing import Any

CORES = "expected a number of cores such as 2, or '500m' for half a core"
BYTES = "expected an amount of memory such as '8Gi' (a bare number counts bytes"

GOOD: dict[str, dict[str, Any]] = {
    "data from a file": {},
    "data that are generated": {"data": {"generate": {"problem": "lorenz"}}},
    "a configuration in a file and inline": {
        "configFile": "config.yaml",
        "config": {"model": {"gen_dim": 100}},
    },
    "numbers as scientists write them": {
        "pbt": {"searchSpace": {"model.lr_init": {"min": 1e-5, "max": 0.005}}}
    },
    "a range from 0 that is uniform": {
        "pbt": {"searchSpace": {"model.dropout_rate": {"min": 0, "max": 1, "sample": "uniform"}}}
    },
    "a search space that tunes nothing": {"pbt": {"searchSpace": {}}},
    "asynchronous": {"pbt": {"mode": "asynchronous"}},
    "cores and bytes as numbers": {"workers": {"resources": {"cpu": 2, "memory": 8589934592}}},
    "half a core": {"workers": {"resources": {"cpu": "500m"}}},
    "members at once by the worker": {"workers": {"membersAtOnce": "auto"}},
    "a slice of a GPU": {"workers": {"gpu": {"sharing": "mig", "profile": "1g.18gb"}}},
    "shared claims": {"workers": {"gpu": {"sharing": "dra", "deviceClass": "gpu.example.com"}}},
    "a renamed resource": {"workers": {"gpu": {"resource": "nvidia.com/gpu.shared"}}},
    "a pod's settings": {
        "workers": {
            "podTemplate": {
                "nodeSelector": {"pool": "gpu"},
                "tolerations": [{"key": "spot", "operator": "Exists"}],
                "env": [{"name": "A", "value": "1"}],
                "image": "example.com/trainer:1",
            }
        }
    },
    "limits in time": {"activeDeadlineSeconds": 3600, "ttlSecondsAfterFinished": 0},
    "the largest seed": {"seed": 2**53 - 1},
}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no data": ({"data": None}, "spec.data: Required value"),
    "data from nowhere": ({"data": {}}, "give exactly one of path and generate"),
    "data from two places": (
        {"data": {"path": "a.h5", "generate": {"problem": "lorenz"}}},
        "give exactly one of path and generate",
    ),
    "an empty path": ({"data": {"path": ""}}, "spec.data.path: Invalid value"),
    "a path that is a number": (
        {"data": {"path": 3}},
        'spec.data.path: Invalid value: "integer": spec.data.path in body must be of type string',
    ),
    "an unknown problem": (
        {"data": {"generate": {"problem": "rossler"}}},
        'Unsupported value: "rossler": supported values: "lorenz", "chaotic"',
    ),
    "a problem with no trials": (
        {"data": {"generate": {"problem": "lorenz", "trials": 0}}},
        "spec.data.generate.trials: Invalid value: 0",
    ),
    "an unknown field": ({"popluation": 3}, 'unknown field "spec.popluation"'),
    "an unknown field inside": ({"pbt": {"epochs": 3}}, 'unknown field "spec.pbt.epochs"'),
    "an unknown field of a pod": (
        {"workers": {"podTemplate": {"nodeselector": {"a": "b"}}}},
        'unknown field "spec.workers.podTemplate.nodeselector"',
    ),
    "no member": ({"population": 0}, "spec.population: Invalid value: 0"),
    "too many members": ({"population": 10001}, "less than or equal to 10000"),
    "half a member": ({"population": 2.5}, "spec.population: Invalid value"),
    "a population as a text": (
        {"population": "16"},
        'spec.population: Invalid value: "string": spec.population in body must be of type integer',
    ),
    "a seed below 0": ({"seed": -1}, "spec.seed: Invalid value: -1"),
    "a seed too large": ({"seed": 2**53}, "spec.seed: Invalid value"),
    "a mode that is none": ({"pbt": {"mode": "sync"}}, 'supported values: "synchronous"'),
    "no epochs": ({"pbt": {"maxEpochs": 0}}, "spec.pbt.maxEpochs: Invalid value: 0"),
    "a negative burn-in": ({"pbt": {"burnInEpochs": -1}}, "spec.pbt.burnInEpochs"),
    "no patience": ({"pbt": {"patience": 0}}, "spec.pbt.patience: Invalid value: 0"),
    "a negative improvement": (
        {"pbt": {"minImprovementRatio": -0.1}},
        "spec.pbt.minImprovementRatio: Invalid value: -0.1",
    ),
    "a range upside down": (
        {"pbt": {"searchSpace": {"model.lr_init": {"min": 2, "max": 1}}}},
        "min must be below max",
    ),
    "a range without an end": (
        {"pbt": {"searchSpace": {"model.lr_init": {"min": 2}}}},
        "spec.pbt.searchSpace.model.lr_init.max: Required value",
    ),
    "a logarithm of 0": (
        {"pbt": {"searchSpace": {"model.lr_init": {"min": 0, "max": 1}}}},
        "sample: logUniform needs a min above 0; use uniform for a range from 0",
    ),
    "a start outside": (
        {
            "pbt": {
                "searchSpace": {
                    "model.lr_init": {"min": 1, "max": 2, "init": 3, "enforceLimits": True}
                }
            }
        },
        "init lies outside min and max while enforceLimits is true",
    ),
    "whole numbers that are not": (
        {"pbt": {"searchSpace": {"model.x": {"min": 1.5, "max": 4, "sample": "randInt"}}}},
        "sample: randInt needs whole numbers as min, max and init",
    ),
    "a weight of nothing": (
        {"pbt": {"searchSpace": {"model.x": {"min": 1, "max": 4, "exploreWeight": 0}}}},
        "exploreWeight: Invalid value: 0",
    ),
    "a sample that is none": (
        {"pbt": {"searchSpace": {"model.x": {"min": 1, "max": 4, "sample": "log"}}}},
        'Unsupported value: "log": supported values: "logUniform", "uniform", "randInt"',
    ),
    "no worker": ({"workers": {"count": 0}}, "spec.workers.count: Invalid value: 0"),
    "no worker to a GPU": ({"workers": {"perGPU": 0}}, "spec.workers.perGPU: Invalid value: 0"),
    "some members at once": (
        {"workers": {"membersAtOnce": "some"}},
        "spec.workers.membersAtOnce: Invalid value",
    ),
    "more workers than anybody has": (
        {"workers": {"count": 1001}},
        "spec.workers.count: Invalid value: 1001",
    ),
    "cores of a million digits": (
        {"workers": {"resources": {"cpu": "1e600000"}}},
        "spec.workers.resources.cpu: Invalid value",
    ),
    "cores in kibi": (
        {"workers": {"resources": {"cpu": "2Ki"}}},
        CORES,
    ),
    "eight bytes as a text": (
        {"workers": {"resources": {"memory": "8"}}},
        BYTES,
    ),
    "cores in words": (
        {"workers": {"resources": {"cpu": "two"}}},
        CORES,
    ),
    "memory in words": (
        {"workers": {"resources": {"memory": "8GB"}}},
        BYTES,
    ),
    "eight bytes": (
        {"workers": {"resources": {"memory": 8}}},
        BYTES,
    ),
    "a way to share that is none": (
        {"workers": {"gpu": {"sharing": "timeslicing"}}},
        'Unsupported value: "timeslicing": supported values: "timeSlicing", "mps"',
    ),
    "a slice without a profile": (
        {"workers": {"gpu": {"sharing": "mig"}}},
        "sharing: mig needs the slice's profile, such as 1g.18gb",
    ),
    "a profile that is none": (
        {"workers": {"gpu": {"sharing": "mig", "profile": "half"}}},
        "spec.workers.gpu.profile: Invalid value",
    ),
    "a resource that is none": (
        {"workers": {"gpu": {"resource": "nvidia gpu"}}},
        "spec.workers.gpu.resource: Invalid value",
    ),
    "a list in the place of a mapping": (
        {"workers": {"podTemplate": {"nodeSelector": ["a"]}}},
        "spec.workers.podTemplate.nodeSelector: Invalid value",
    ),
    "a pull policy that is none": (
        {"workers": {"podTemplate": {"imagePullPolicy": "Sometimes"}}},
        "spec.workers.podTemplate.imagePullPolicy: Unsupported value",
    ),
    "no sample": ({"export": {"posteriorSamples": 0}}, "spec.export.posteriorSamples"),
    "yes instead of true": ({"suspend": "yes"}, "spec.suspend: Invalid value"),
    "a negative time": ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished"),
    "a deadline at once": ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds"),
    "a configuration that is a text": ({"config": "model"}, "spec.config: Invalid value"),
}

NAMES: dict[str, str] = {
    "a-name-of-more-than-63-letters-" + "x" * 40: "metadata.name",
    "Capitals": "a lowercase RFC 1123 subdomain",
}

# What is changed in a run that is there, and what is said of it; None: it is allowed.
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "suspend": ({}, {"suspend": True}, None),
    "keepResults": ({}, {"keepResults": False}, None),
    "the time limits": ({}, {"ttlSecondsAfterFinished": 5, "activeDeadlineSeconds": 5}, None),
    "the number of workers": ({}, {"workers": {"count": 2}}, None),
    "pods while suspended": (
        {"suspend": True},
        {"workers": {"podTemplate": {"nodeSelector": {"a": "b"}}}},
        None,
    ),
    "resources while suspended": (
        {"suspend": True},
        {"workers": {"resources": {"memory": "4Gi"}}},
        None,
    ),
    "sharing while suspended": ({"suspend": True}, {"workers": {"gpu": {"sharing": "mps"}}}, None),
    "pods while it runs": (
        {},
        {"workers": {"podTemplate": {"nodeSelector": {"a": "b"}}}},
        "workers.podTemplate can change only while the run is suspended: set suspend: true with",
    ),
    "resources while it runs": (
        {},
        {"workers": {"resources": {"memory": "4Gi"}}},
        "workers.resources can change only while the run is suspended",
    ),
    "sharing in the same breath as going on": (
        {"suspend": True},
        {"suspend": False, "workers": {"gpu": {"sharing": "mps"}}},
        None,
    ),
    "pods in the same breath as stopping": (
        {},
        {"suspend": True, "workers": {"podTemplate": {"image": "another"}}},
        None,
    ),
    "the data": (
        {},
        {"data": {"path": "other.h5"}},
        "data decides what is trained and cannot change: apply a run of another name",
    ),
    "the population": ({}, {"population": 5}, "population decides what is trained"),
    "the population, taken away": (
        {"population": 5},
        {"population": None},
        "population decides what is trained",
    ),
    "the seed": ({"seed": 1}, {"seed": 2}, "seed decides what is trained"),
    "the configuration": (
        {"config": {"model": {"gen_dim": 100}}},
        {"config": {"model": {"gen_dim": 101}}},
        "config decides what is trained",
    ),
    "the configuration's file": ({}, {"configFile": "a.yaml"}, "configFile decides"),
    "the tuning": ({}, {"pbt": {"patience": 9}}, "pbt decides what is trained"),
    "the export": ({}, {"export": {"posteriorSamples": 9}}, "export decides what is trained"),
}
