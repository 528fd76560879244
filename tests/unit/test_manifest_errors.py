"""What is wrong with a manifest is said in one sentence: where, what was found, what expected."""

from __future__ import annotations

from typing import Any

import pytest

from autolfads_operator.manifest import parse
from autolfads_trainer.userinput import InputError
from autolfads_trainer.yaml_text import parse_yaml


def message(spec: str, head: str | None = None) -> str:
    """Return the error of a manifest with `spec` (YAML), without the file's name."""
    if head is None:
        head = "apiVersion: autolfads.io/v1alpha1\nkind: AutoLFADSRun\nmetadata: {name: run}\n"
    document = parse_yaml(f"{head}{spec}", "run.yaml", "manifest")
    with pytest.raises(InputError) as error:
        parse(document, "run.yaml")
    lines = str(error.value).splitlines()
    assert all(line.startswith("run.yaml: ") for line in lines)
    return "\n".join(line.removeprefix("run.yaml: ") for line in lines)


WHOLE = "expected a whole number of at least 1"
QUOTES = "(take the quotes away)"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        # unknown keys
        ("pbt: {mod: synchronous}", "spec.pbt.mod: unknown key (did you mean 'mode'?)"),
        ("populaton: 4", "spec.populaton: unknown key (did you mean 'population'?)"),
        ("config_file: x", "spec.config_file: unknown key (did you mean 'configFile'?)"),
        ("workers: {perGpu: 2}", "spec.workers.perGpu: unknown key (did you mean 'perGPU'?)"),
        (
            "pbt: {generation_epochs: 5}",
            "spec.pbt.generation_epochs: unknown key (did you mean 'generationEpochs'?)",
        ),
        ("patience: 4", "spec.patience: unknown key (it belongs at spec.pbt.patience)"),
        (
            "pbt: {seed: 4}",
            "spec.pbt.seed: unknown key (it belongs at spec.data.generate.seed or spec.seed)",
        ),
        (
            "export: {zzz: 1}",
            "spec.export.zzz: unknown key; expected one of posteriorSamples",
        ),
        (
            "pbt: {searchSpace: {model.lr_init: {min: 1, max: 2, explore_weight: 1}}}",
            "spec.pbt.searchSpace.model.lr_init.explore_weight: unknown key "
            "(did you mean 'exploreWeight'?)",
        ),
        # numbers
        ("population: 0", f"spec.population: found 0; {WHOLE} and at most 10000"),
        ("population: -1", f"spec.population: found -1; {WHOLE} and at most 10000"),
        ("population: 2.5", f"spec.population: found 2.5; {WHOLE} and at most 10000"),
        ("population: true", f"spec.population: found true; {WHOLE} and at most 10000"),
        (
            "population: '16'",
            f"spec.population: found the text '16' {QUOTES}; {WHOLE} and at most 10000",
        ),
        ("population: many", f"spec.population: found 'many'; {WHOLE} and at most 10000"),
        ("population: [1]", f"spec.population: found [1]; {WHOLE} and at most 10000"),
        ("population: .inf", f"spec.population: found inf; {WHOLE} and at most 10000"),
        ("seed: -1", "spec.seed: found -1; expected a whole number of at least 0 and at most "
         "9007199254740991"),
        ("seed: 9007199254740992", "spec.seed: found 9007199254740992; expected a whole "
         "number of at least 0 and at most 9007199254740991"),
        ("pbt: {generationEpochs: 0}", f"spec.pbt.generationEpochs: found 0; {WHOLE}"),
        ("pbt: {burnInEpochs: -1}",
         "spec.pbt.burnInEpochs: found -1; expected a whole number of at least 0"),
        ("pbt: {maxEpochs: 0}", f"spec.pbt.maxEpochs: found 0; {WHOLE}"),
        ("pbt: {patience: 0}", f"spec.pbt.patience: found 0; {WHOLE}"),
        ("pbt: {minImprovementRatio: -1e-3}",
         "spec.pbt.minImprovementRatio: found -0.001; expected a number of at least 0"),
        ("pbt: {minImprovementRatio: .nan}",
         "spec.pbt.minImprovementRatio: found nan; expected a number of at least 0"),
        ("pbt: {minImprovementRatio: true}",
         "spec.pbt.minImprovementRatio: found true; expected a number of at least 0"),
        ("pbt: {minImprovementRatio: '1e-3'}",
         f"spec.pbt.minImprovementRatio: found the text '1e-3' {QUOTES}; expected a number of at "
         "least 0"),
        ("workers: {count: 0}", f"spec.workers.count: found 0; {WHOLE} and at most 1000"),
        ("workers: {perGPU: 0}", f"spec.workers.perGPU: found 0; {WHOLE}"),
        ("export: {posteriorSamples: 0}", f"spec.export.posteriorSamples: found 0; {WHOLE}"),
        ("ttlSecondsAfterFinished: -1",
         "spec.ttlSecondsAfterFinished: found -1; expected a whole number of at least 0"),
        ("activeDeadlineSeconds: 0", f"spec.activeDeadlineSeconds: found 0; {WHOLE}"),
        # words
        ("pbt: {mode: sync}",
         "spec.pbt.mode: found 'sync'; expected one of 'synchronous', 'asynchronous'"),
        ("workers: {gpu: {sharing: shared}}",
         "spec.workers.gpu.sharing: found 'shared'; expected one of 'timeSlicing', 'mps', 'mig', "
         "'dra', 'exclusive', 'none'"),
        ("workers: {gpu: {resource: 'a b'}}",
         "spec.workers.gpu.resource: found 'a b'; expected a Kubernetes resource's name such as "
         "'nvidia.com/gpu'"),
        ("workers: {gpu: {profile: 1}}", "spec.workers.gpu.profile: found 1; expected a text"),
        ("suspend: 'yes'", "spec.suspend: found 'yes'; expected true or false"),
        ("suspend: 1", "spec.suspend: found 1; expected true or false"),
        ("keepResults: 0", "spec.keepResults: found 0; expected true or false"),
        ("configFile: ''", "spec.configFile: found ''; expected a text that is not empty"),
        ("config: [1]", "spec.config: found [1]; expected a mapping"),
        ("config: config.yaml", "spec.config: found 'config.yaml'; expected a mapping"),
        ("pbt: 5", "spec.pbt: found 5; expected a mapping"),
        ("workers: {podTemplate: x}", "spec.workers.podTemplate: found 'x'; expected a mapping"),
        # numbers or words
        ("workers: {membersAtOnce: 0}", "spec.workers.membersAtOnce: found 0; expected 'auto' or a "
         "whole number of at least 1"),
        ("workers: {membersAtOnce: true}", "spec.workers.membersAtOnce: found true; expected "
         "'auto' or a whole number of at least 1"),
        ("workers: {membersAtOnce: all}", "spec.workers.membersAtOnce: found 'all'; expected "
         "'auto' or a whole number of at least 1"),
        ("workers: {resources: {cpu: 0.5}}", "spec.workers.resources.cpu: found 0.5; expected a "
         "number of cores such as 2, or '500m' for half a core"),
        ("workers: {resources: {cpu: two}}", "spec.workers.resources.cpu: found 'two'; expected a "
         "number of cores such as 2, or '500m' for half a core"),
        ("workers: {resources: {cpu: -1}}", "spec.workers.resources.cpu: found -1; expected a "
         "number of cores such as 2, or '500m' for half a core"),
        ("workers: {resources: {memory: 8}}", "spec.workers.resources.memory: found 8; expected an "
         "amount of memory such as '8Gi' (a bare number counts bytes, at least 1048576)"),
        ("workers: {resources: {memory: 8GB}}", "spec.workers.resources.memory: found '8GB'; "
         "expected an amount of memory such as '8Gi' (a bare number counts bytes, at least "
         "1048576)"),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong(spec: str, expected: str) -> None:
    assert message(f"spec: {{data: {{path: a.h5}}, {spec}}}") == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("{}", "spec.data: found neither; expected exactly one of 'path' and 'generate'"),
        (
            "{path: a.h5, generate: {problem: lorenz}}",
            "spec.data: found both; expected exactly one of 'path' and 'generate'",
        ),
        ("a.h5", "spec.data: found 'a.h5'; expected a mapping"),
        ("null", "spec.data: missing; expected a mapping"),
        ("{path: ''}", "spec.data.path: found ''; expected a text that is not empty"),
        ("{path: 3}", "spec.data.path: found 3; expected a text that is not empty"),
        (
            "{generate: {problem: lorentz}}",
            "spec.data.generate.problem: found 'lorentz'; expected one of 'lorenz', 'chaotic'",
        ),
        (
            "{generate: {seed: 1}}",
            "spec.data.generate.problem: missing; expected one of 'lorenz', 'chaotic'",
        ),
        (
            "{generate: {problem: lorenz, seed: 4294967296}}",
            "spec.data.generate.seed: found 4294967296; expected a whole number of at least 0 and "
            "at most 4294967295",
        ),
        (
            "{generate: {problem: lorenz, trials: 0}}",
            "spec.data.generate.trials: found 0; expected a whole number of at least 1",
        ),
        (
            "{generate: {problem: lorenz, heldout: -1}}",
            "spec.data.generate.heldout: found -1; expected a whole number of at least 0",
        ),
        (
            "{generate: {problem: lorenz, chanels: 5}}",
            "spec.data.generate.chanels: unknown key (did you mean 'channels'?)",
        ),
    ],
)
def test_data_that_are_wrong(data: str, expected: str) -> None:
    assert message(f"spec: {{data: {data}}}") == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{min: 2, max: 1}", "found min 2 and max 1; expected min below max"),
        ("{min: 1, max: 1}", "found min 1 and max 1; expected min below max"),
        (
            "{min: 0, max: 1}",
            "found min 0 with sample logUniform; expected min above 0 (or sample: uniform)",
        ),
        (
            "{min: 0.1, max: 1, init: 2, enforceLimits: true}",
            "found init 2; expected it within min 0.1 and max 1, since enforceLimits is true",
        ),
        (
            "{min: 0.1, max: 1, init: 0.01, enforceLimits: true}",
            "found init 0.01; expected it within min 0.1 and max 1, since enforceLimits is true",
        ),
        (
            "{min: 1, max: 2.5, sample: randInt}",
            "found max 2.5 with sample randInt; expected a whole number",
        ),
        (
            "{min: 1, max: 3, init: 1.5, sample: randInt}",
            "found init 1.5 with sample randInt; expected a whole number",
        ),
        ("3", "found 3; expected a mapping"),
        ("null", "found null; expected a mapping"),
    ],
)
def test_a_range_that_makes_no_sense(entry: str, expected: str) -> None:
    spec = f"spec: {{data: {{path: a}}, pbt: {{searchSpace: {{model.lr_init: {entry}}}}}}}"
    assert message(spec) == f"spec.pbt.searchSpace.model.lr_init: {expected}"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{min: 1}", "max: missing; expected a number"),
        ("{min: a, max: 1}", "min: found 'a'; expected a number"),
        ("{min: 0.1, max: .inf}", "max: found inf; expected a number"),
        (
            "{min: 1, max: 2, exploreWeight: 0}",
            "exploreWeight: found 0; expected a number above 0 and at most 10",
        ),
        (
            "{min: 1, max: 2, exploreWeight: 10.5}",
            "exploreWeight: found 10.5; expected a number above 0 and at most 10",
        ),
        (
            "{min: 1, max: 2, sample: loguniform}",
            "sample: found 'loguniform'; expected one of 'logUniform', 'uniform', 'randInt'",
        ),
        ("{min: 1, max: 2, enforceLimits: 1}", "enforceLimits: found 1; expected true or false"),
    ],
)
def test_a_field_of_a_range_that_is_wrong(entry: str, expected: str) -> None:
    spec = f"spec: {{data: {{path: a}}, pbt: {{searchSpace: {{model.lr_init: {entry}}}}}}}"
    assert message(spec) == f"spec.pbt.searchSpace.model.lr_init.{expected}"


def test_a_search_space_without_end_is_refused() -> None:
    space = ", ".join(f"a{number}: {{min: 1, max: 2}}" for number in range(101))
    said = message(f"spec: {{data: {{path: a}}, pbt: {{searchSpace: {{{space}}}}}}}")
    assert said.startswith("spec.pbt.searchSpace: found {")
    assert said.endswith("; expected a mapping of at most 100 entries")


SPEC = "\nspec: {data: {path: a.h5}}"
VERSION = "\napiVersion: autolfads.io/v1alpha1"
DNS = (
    "expected a DNS-1123 name of at most 63 characters: lower-case letters, digits, '-' and '.', "
    "with a letter or digit at both ends"
)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (
            f"kind: Job{VERSION}\nmetadata: {{name: x}}",
            "kind: found 'Job'; expected 'AutoLFADSRun'",
        ),
        (
            "kind: AutoLFADSRun\napiVersion: v1\nmetadata: {name: x}\nmore: 1",
            "apiVersion: found 'v1'; expected 'autolfads.io/v1alpha1'",
        ),
        (f"kind: AutoLFADSRun{VERSION}", "metadata: missing; expected a mapping"),
        (
            f"kind: AutoLFADSRun{VERSION}\nmetadata: {{}}",
            "metadata.name: missing; expected a text",
        ),
        (
            "metadata: {name: x}",
            "apiVersion: missing; expected 'autolfads.io/v1alpha1'\n"
            "kind: missing; expected 'AutoLFADSRun'",
        ),
        (
            f"kind: AutoLFADSRun{VERSION}\nmetadata: {{name: My_Run}}",
            f"metadata.name: found 'My_Run'; {DNS}",
        ),
        (
            f"kind: AutoLFADSRun{VERSION}\nmetadata: {{name: run-}}",
            f"metadata.name: found 'run-'; {DNS}",
        ),
        (
            f"kind: AutoLFADSRun{VERSION}\nmetadata: {{name: {'x' * 64}}}",
            f"metadata.name: found '{'x' * 64}'; {DNS}",
        ),
        (
            f'kind: AutoLFADSRun{VERSION}\nmetadata: {{name: "run\\n"}}',
            f"metadata.name: found 'run\\n'; {DNS}",
        ),
        (
            f"kind: AutoLFADSRun{VERSION}\nmetadata: {{name: x, namespace: a.b}}",
            "metadata.namespace: found 'a.b'; expected a namespace's name: at most 63 lower-case "
            "letters, digits and '-'",
        ),
    ],
)
def test_a_head_that_is_wrong(head: str, expected: str) -> None:
    assert message(SPEC, head) == expected


@pytest.mark.parametrize("name", ["x", "a.b-c.9", "x" * 63])
def test_a_name_that_kubernetes_takes(name: str) -> None:
    document = parse_yaml(f"kind: AutoLFADSRun{VERSION}\nmetadata: {{name: {name}}}{SPEC}", "", "")
    assert parse(document, "run.yaml").metadata.name == name


def test_keys_of_the_spec_at_the_top_are_told_where_they_belong() -> None:
    head = f"kind: AutoLFADSRun{VERSION}\nmetadata: {{name: x}}\n"
    assert message("data: {path: a.h5}\npopulation: 4", head).splitlines() == [
        "data: unknown key (it belongs at spec.data)",
        "population: unknown key (it belongs at spec.population)",
        "spec: missing; expected a mapping",
    ]


def test_a_configuration_given_as_a_manifest_is_recognised() -> None:
    assert message("model: {gen_dim: 10}", "") == (
        "looks like a configuration; expected a manifest (kind: AutoLFADSRun), which names a "
        "configuration in spec.configFile"
    )


def test_several_errors_are_told_at_once() -> None:
    spec = "spec: {data: {path: a}, sed: 1, population: 0, suspend: 3}"
    assert message(spec).splitlines() == [
        "spec.sed: unknown key (did you mean 'seed'?)",
        f"spec.population: found 0; {WHOLE} and at most 10000",
        "spec.suspend: found 3; expected true or false",
    ]


@pytest.mark.parametrize(("wrong", "more"), [(5, None), (6, 1), (9, 4)])
def test_of_many_errors_the_first_five_are_told(wrong: int, more: int | None) -> None:
    entries = ", ".join(f"a{number}: 1" for number in range(wrong))
    lines = message(f"spec: {{data: {{path: a}}, pbt: {{searchSpace: {{{entries}}}}}}}").split("\n")
    assert lines[:5] == [
        f"spec.pbt.searchSpace.a{number}: found 1; expected a mapping" for number in range(5)
    ]
    assert lines[5:] == ([] if more is None else [f"and {more} more like these"])


@pytest.mark.parametrize("found", ["{found}", "{", "}} {expected}", "%s"])
def test_a_users_text_is_shown_as_it_is(found: str) -> None:
    document: dict[str, Any] = {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": {"name": found},
        "spec": {"data": {"path": "a"}},
    }
    with pytest.raises(InputError) as error:
        parse(document, "run.yaml")
    assert str(error.value) == f"run.yaml: metadata.name: found '{found}'; {DNS}"
