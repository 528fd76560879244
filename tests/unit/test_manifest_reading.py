"""A manifest as scientists write it becomes a run: what is taken, and what absent means."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autolfads_operator.api import AutoLFADSRun
from autolfads_operator.manifest import parse, read_manifest
from autolfads_trainer.userinput import InputError
from autolfads_trainer.yaml_text import parse_yaml

WHOLE = """
apiVersion: autolfads.io/v1alpha1
kind: AutoLFADSRun
metadata:
  name: every-field
  namespace: lab
  uid: 0b5e
  labels: {project: reach}
  creationTimestamp: null
spec:
  data: {path: spikes.h5}
  configFile: config.yaml
  config: {model: {gen_dim: 150, ext: null}, seed: null}
  population: 12
  seed: 5
  pbt:
    mode: synchronous
    generationEpochs: 10
    burnInEpochs: 0
    maxEpochs: 1e3
    patience: 3
    minImprovementRatio: 1e-4
    searchSpace:
      model.lr_init:
        {min: 1e-5, max: 0.005, init: 4.0e-3, sample: logUniform, exploreWeight: 0.3,
         enforceLimits: true}
      model.dropout_rate: {min: 0, max: 0.6, sample: uniform}
  workers:
    count: 3
    membersAtOnce: 2
    perGPU: 4
    gpu: {sharing: mig, resource: nvidia.com/mig-1g.18gb, profile: 1g.18gb}
    resources: {cpu: 500m, memory: 16Gi}
    podTemplate: {nodeSelector: {pool: gpu}, env: [{name: A, value: null}]}
  export: {posteriorSamples: 20}
  suspend: true
  keepResults: false
  ttlSecondsAfterFinished: 0
  activeDeadlineSeconds: 3600
"""


def manifest(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": {"name": "run"},
        "spec": {"data": {"path": "spikes.h5"}} | spec,
    }


def test_every_field_is_read_as_written() -> None:
    document = parse_yaml(WHOLE, "run.yaml", "manifest")
    run = parse(document, "run.yaml")
    as_json = run.as_json()
    expected = copy.deepcopy(document)
    expected["spec"]["pbt"]["maxEpochs"] = 1000
    expected["spec"]["pbt"]["searchSpace"]["model.dropout_rate"] |= {
        "exploreWeight": 0.2,
        "enforceLimits": False,
    }
    expected["spec"]["workers"]["gpu"]["deviceClass"] = "gpu.nvidia.com"
    del expected["metadata"]["creationTimestamp"]
    assert as_json == expected
    assert run.spec.pbt.search_space is not None
    assert run.spec.pbt.search_space["model.lr_init"].min == 1e-5
    assert run.spec.workers.per_gpu == 4


def test_a_run_written_out_and_read_again_is_the_same_run() -> None:
    run = parse(parse_yaml(WHOLE, "run.yaml", "manifest"), "run.yaml")
    assert parse(run.as_json(), "again") == run


def test_only_data_is_required_and_the_rest_has_its_default() -> None:
    assert parse(manifest(), "run.yaml").spec.as_json() == {
        "data": {"path": "spikes.h5"},
        "config": {},
        "pbt": {"mode": "synchronous"},
        "workers": {
            "count": 8,
            "membersAtOnce": "auto",
            "perGPU": 2,
            "gpu": {
                "sharing": "timeSlicing",
                "resource": "nvidia.com/gpu",
                "profile": "",
                "deviceClass": "gpu.nvidia.com",
            },
            "resources": {"cpu": 2, "memory": "8Gi"},
            "podTemplate": {},
        },
        "export": {},
        "suspend": False,
        "keepResults": True,
    }


def test_what_a_configuration_can_say_has_no_default() -> None:
    spec = parse(manifest(), "run.yaml").spec
    pbt = spec.pbt.model_dump(exclude={"mode"})
    assert set(pbt) == {
        "generation_epochs",
        "burn_in_epochs",
        "max_epochs",
        "patience",
        "min_improvement_ratio",
        "search_space",
    }
    assert {spec.population, spec.seed, spec.export.posterior_samples, *pbt.values()} == {None}


def test_a_generated_problem_needs_only_its_name() -> None:
    document = manifest(data={"generate": {"problem": "chaotic"}})
    assert parse(document, "run.yaml").spec.data.as_json() == {
        "generate": {"problem": "chaotic", "seed": 0, "heldout": 0}
    }


def test_the_size_of_a_generated_problem_can_be_given() -> None:
    generate = {
        "problem": "lorenz", "seed": 3, "conditions": 4, "trials": 10, "channels": 12, "heldout": 2,
    }  # fmt: skip
    run = parse(manifest(data={"generate": generate}), "run.yaml")
    assert run.spec.data.as_json() == {"generate": generate}


@pytest.mark.parametrize(
    "field",
    ["population", "seed", "pbt", "workers", "export", "config", "configFile", "suspend",
     "keepResults", "ttlSecondsAfterFinished", "activeDeadlineSeconds"],
)  # fmt: skip
def test_a_null_is_the_same_as_nothing(field: str) -> None:
    assert parse(manifest(**{field: None}), "run.yaml") == parse(manifest(), "run.yaml")


def test_a_null_source_of_data_counts_as_absent() -> None:
    document = manifest(data={"path": "spikes.h5", "generate": None})
    assert parse(document, "run.yaml").spec.data.path == "spikes.h5"


def test_nulls_and_numbers_within_the_configuration_are_kept() -> None:
    config = {"seed": None, "model": {"lr_init": 1.5e-5, "readin": [None]}}
    run = parse(manifest(config=config), "run.yaml")
    assert run.as_json()["spec"]["config"] == config


def test_the_run_does_not_share_the_configuration_with_the_document() -> None:
    document = manifest(config={"model": {"gen_dim": 100}})
    run = parse(document, "run.yaml")
    document["spec"]["config"]["model"]["gen_dim"] = 1
    assert run.spec.config == {"model": {"gen_dim": 100}}


@given(st.integers(min_value=1, max_value=10_000))
def test_a_whole_number_may_be_written_as_a_float(number: int) -> None:
    run = parse(manifest(population=float(number), seed=float(number)), "run.yaml")
    assert (run.spec.population, run.spec.seed) == (number, number)
    assert type(run.spec.population) is int


def test_an_int_is_a_number_where_a_float_is_expected() -> None:
    space = {"model.l2_gen_scale": {"min": 1, "max": 2, "init": 1}}
    document = manifest(pbt={"minImprovementRatio": 0, "searchSpace": space})
    run = parse(document, "run.yaml")
    assert run.spec.pbt.min_improvement_ratio == 0
    assert run.spec.pbt.as_json()["searchSpace"]["model.l2_gen_scale"]["init"] == 1


def test_an_empty_search_space_is_not_an_absent_one() -> None:
    assert parse(manifest(pbt={"searchSpace": {}}), "run.yaml").spec.pbt.search_space == {}


def test_a_start_value_outside_the_range_is_allowed_without_limits() -> None:
    space = {"model.lr_init": {"min": 1e-4, "max": 1e-3, "init": 4e-3}}
    run = parse(manifest(pbt={"searchSpace": space}), "run.yaml")
    assert run.spec.pbt.search_space is not None
    assert run.spec.pbt.search_space["model.lr_init"].init == 4e-3


@pytest.mark.parametrize("init", [1e-4, 1e-3])
def test_the_ends_of_a_range_lie_within_it(init: float) -> None:
    space = {"model.lr_init": {"min": 1e-4, "max": 1e-3, "init": init, "enforceLimits": True}}
    run = parse(manifest(pbt={"searchSpace": space}), "run.yaml")
    assert run.spec.pbt.search_space is not None
    assert run.spec.pbt.search_space["model.lr_init"].init == init


def test_whole_numbers_are_drawn_from_a_whole_range() -> None:
    space = {"model.ci_lag": {"min": 0, "max": 3.0, "init": 1, "sample": "randInt"}}
    run = parse(manifest(pbt={"searchSpace": space}), "run.yaml")
    assert run.spec.pbt.search_space is not None
    assert run.spec.pbt.search_space["model.ci_lag"].max == 3


@pytest.mark.parametrize("cpu", [1, 16, 2.0, "2", "500m", "0.5", "1e2"])
@pytest.mark.parametrize("memory", [2**20, "8Gi", "512M", "1.5Gi", "1000000000"])
def test_quantities_are_numbers_or_kubernetes_texts(cpu: Any, memory: Any) -> None:
    document = manifest(workers={"resources": {"cpu": cpu, "memory": memory}})
    resources = parse(document, "run.yaml").spec.workers.resources
    assert (resources.cpu, resources.memory) == (cpu, memory)


def test_a_manifest_from_kubectl_get_is_taken_with_its_status() -> None:
    document = manifest()
    document["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "generation": 2}
    document["status"] = {
        "state": "Training",
        "best": {"member": 3, "generation": 2, "score": "0.4051"},
        "conditions": [
            {"type": "Accepted", "status": "True", "reason": "Valid", "message": "",
             "lastTransitionTime": "2030-01-01T00:00:00Z"},
        ],
        "fromANewerOperator": {"x": 1},
    }  # fmt: skip
    run = parse(document, "run.yaml")
    assert run.status is not None
    assert run.status.best is not None
    assert (run.status.best.member, run.status.conditions[0].type) == (3, "Accepted")
    assert "fromANewerOperator" not in run.as_json()["status"]


def test_a_run_cannot_be_changed_after_it_was_read() -> None:
    run = parse(manifest(population=4), "run.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        run.spec.population = 5  # type: ignore[misc]


def test_python_code_may_use_the_names_of_python() -> None:
    run = AutoLFADSRun.model_validate(manifest(pbt={"generation_epochs": 5}))
    assert run.spec.pbt.generation_epochs == 5


def test_a_manifest_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(WHOLE)
    assert read_manifest(path).metadata.name == "every-field"


def test_an_error_names_the_file_that_was_read(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(WHOLE.replace("population: 12", "population: 0"))
    with pytest.raises(InputError) as error:
        read_manifest(path)
    assert str(error.value).startswith(f"{path}: spec.population: found 0; expected a whole number")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml: no such manifest file"):
        read_manifest(tmp_path / "nowhere.yaml")


EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/run.yaml"))


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_examples_are_manifests(path: Path) -> None:
    assert read_manifest(path).metadata.name == path.parent.name
