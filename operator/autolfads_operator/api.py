"""The manifest: AutoLFADSRun, `autolfads.io/v1alpha1`. This file is its manual, too.

The CustomResourceDefinition and `docs/manifest.md` are made from these models (`crd.py`), so a
field is described here, once. Where a configuration can say the same thing, a field has no
default: the API server would fill it in, and it would then beat the configuration.
Rules between fields stand twice, in Python and beside it in CEL for the API server.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from autolfads_operator.fields import (
    AutoOrPositive,
    Cores,
    Count,
    DeviceClass,
    Memory,
    Model,
    Name,
    Namespace,
    Population,
    Positive,
    ProblemSeed,
    Profile,
    ResourceName,
    Seed,
    Text,
    WorkerCount,
    rule_broken,
)
from autolfads_operator.status import RunStatus
from autolfads_trainer.userinput import shown

GROUP = "autolfads.io"
VERSION = "v1alpha1"
KIND = "AutoLFADSRun"


def _fixed(name: str, why: str) -> dict[str, Any]:
    """Return the rule that a field of `spec` stays as it is."""
    both = f"has(self.{name}) == has(oldSelf.{name})"
    same = f"(!has(self.{name}) || self.{name} == oldSelf.{name})"
    return {"rule": f"{both} && {same}", "message": f"{name} {why}"}


def _fixed_unless_suspended(name: str) -> dict[str, Any]:
    """Return the rule that a setting of the workers changes only while the run is suspended."""
    return {
        "rule": f"oldSelf.suspend || self.suspend || self.workers.{name} == oldSelf.workers.{name}",
        "message": f"workers.{name} can change only while the run is suspended: set suspend: true "
        "with the change, and then suspend: false",
    }


_DECIDES = "decides what is trained and cannot change: apply a run of another name"
# What may change on a live run; everything else would make it another run.
TRANSITIONS: list[Any] = [
    *(
        _fixed(name, _DECIDES)
        for name in ("data", "configFile", "config", "population", "seed", "pbt", "export")
    ),
    *(
        _fixed_unless_suspended(name)
        for name in ("membersAtOnce", "perGPU", "gpu", "resources", "podTemplate")
    ),
]

EMPTY: dict[str, Any] = {"default": {}}  # the schema's default of a mapping with defaults inside
# The API server drops a null where `nullable` is not set, so that has() in a CEL rule is exact.
IN_RULE: dict[str, Any] = {"nullable": False}


class Generate(Model):
    """A problem with known true rates, made at the start instead of read from a file."""

    problem: Literal["lorenz", "chaotic"] = Field(
        description="Which problem: `lorenz` (firing rates driven by the Lorenz attractor) or "
        "`chaotic` (a chaotic recurrent network)."
    )
    seed: ProblemSeed = Field(
        default=0, description="Seed of the problem's own randomness; the same seed, the same data."
    )
    conditions: Positive | None = Field(
        default=None,
        description="Number of conditions (start states). Absent: 65 for lorenz, 130 for chaotic.",
    )
    trials: Positive | None = Field(
        default=None,
        description="Trials of each condition, training and validation together. Absent: 24 for "
        "lorenz, 10 for chaotic.",
    )
    channels: Positive | None = Field(
        default=None,
        description="Number of channels (neurons). Absent: 29 for lorenz, 50 for chaotic.",
    )
    heldout: Count = Field(
        default=0,
        description="How many of the channels the model does not see and has to predict "
        "(scored as `co_bps`).",
    )


class Data(Model):
    """Where the spikes come from: exactly one of `path` and `generate`."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.path) != has(self.generate)",
                    "message": "give exactly one of path and generate",
                }
            ]
        }
    )
    path: Text | None = Field(
        default=None,
        description="The HDF5 file with `{train,valid}_{encod,recon}_data`, each (trials, time, "
        "channels), or a pattern (`day*.h5`): one file for each session. On one machine: relative "
        "to the manifest, or absolute. On a cluster: relative to the folder `data/` of the shared "
        "claim, which pods mount read-only.",
        json_schema_extra=IN_RULE,
    )
    generate: Generate | None = Field(default=None, json_schema_extra=IN_RULE)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.generate is None):
            found = "neither" if self.path is None else "both"
            raise rule_broken(f"found {found}; expected exactly one of 'path' and 'generate'")
        return self


class SearchRange(Model):
    """How one hyperparameter starts, and how far PBT may move it."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {"rule": "self.min < self.max", "message": "min must be below max"},
                {
                    "rule": "self.sample != 'logUniform' || self.min > 0.0",
                    "message": "sample: logUniform needs a min above 0; use uniform for a range "
                    "from 0",
                },
                {
                    "rule": "!has(self.init) || !self.enforceLimits || "
                    "(self.min <= self.init && self.init <= self.max)",
                    "message": "init lies outside min and max while enforceLimits is true",
                },
                {
                    "rule": "self.sample != 'randInt' || (self.min == double(int(self.min)) && "
                    "self.max == double(int(self.max)) && "
                    "(!has(self.init) || self.init == double(int(self.init))))",
                    "message": "sample: randInt needs whole numbers as min, max and init",
                },
            ]
        }
    )
    min: float = Field(description="Lower end of the range.")
    max: float = Field(description="Upper end of the range.")
    init: float | None = Field(
        default=None,
        description="Value that every member starts from. Absent: each member draws its own.",
        json_schema_extra=IN_RULE,
    )
    sample: Literal["logUniform", "uniform", "randInt"] = Field(
        default="logUniform",
        description="How start values are drawn where `init` is absent: `logUniform` (uniform in "
        "the logarithm), `uniform`, or `randInt` (whole numbers from min, below max).",
    )
    explore_weight: float = Field(
        default=0.2,
        gt=0,
        le=10,
        description="How far one perturbation goes: at most to value × (1 + weight) or value / (1 "
        "+ weight), symmetrical in the logarithm.",
    )
    enforce_limits: bool = Field(
        default=False,
        description="Keep perturbed values within min and max. When false the range holds for "
        "start values only, and afterwards what the setting itself allows.",
    )

    @model_validator(mode="after")
    def _range_makes_sense(self) -> Self:
        low, high = shown(self.min), shown(self.max)
        if self.min >= self.max:
            raise rule_broken(f"found min {low} and max {high}; expected min below max")
        if self.sample == "logUniform" and self.min <= 0:
            raise rule_broken(
                f"found min {low} with sample logUniform; expected min above 0 (or sample: uniform)"
            )
        if self.init is None:
            return self
        if self.enforce_limits and not self.min <= self.init <= self.max:
            raise rule_broken(
                f"found init {shown(self.init)}; expected it within min {low} and max {high}, "
                "since enforceLimits is true"
            )
        return self

    @model_validator(mode="after")
    def _whole_numbers(self) -> Self:
        given = {"min": self.min, "max": self.max, "init": self.init}
        for name, value in given.items():
            if self.sample == "randInt" and value is not None and not value.is_integer():
                raise rule_broken(
                    f"found {name} {shown(value)} with sample randInt; expected a whole number"
                )
        return self


class Pbt(Model):
    """Population-based training. What is absent here is as the configuration says."""

    mode: Literal["synchronous", "asynchronous"] = Field(
        default="synchronous",
        description="`synchronous`: all members end a generation before the next begins. "
        "`asynchronous`: each member goes on by itself and compares with the newest scores of "
        "others.",
    )
    generation_epochs: Positive | None = Field(
        default=None,
        description="Epochs of a generation, after which the worse half copies the better. "
        "Absent: as the configuration's `pbt.perturbation_interval`, else 25.",
    )
    burn_in_epochs: Count | None = Field(
        default=None,
        description="Epochs of the first generation; 0 makes it as long as the others. Absent: as "
        "the configuration's `pbt.burn_in_period`, else 105.",
    )
    max_epochs: Positive | None = Field(
        default=None,
        description="Epochs per member after which the run ends in any case. Absent: as the "
        "configuration's `trainer.max_epochs`, else 1000.",
    )
    patience: Positive | None = Field(
        default=None,
        description="Generations over which the best score has to improve for the run to go on. "
        "Absent: as the configuration's `pbt.patience`, else 4.",
    )
    min_improvement_ratio: float | None = Field(
        default=None,
        ge=0,
        description="The improvement over `patience` generations, as a share of the mean best "
        "score, at or below which the run ends. Absent: as the configuration's "
        "`pbt.min_improvement_ratio`, else 0.0005.",
    )
    search_space: Annotated[dict[str, SearchRange], Field(max_length=100)] | None = Field(
        default=None,
        description="Hyperparameters that PBT tunes, by their path in the configuration (such as "
        "`model.lr_init`). Given, it replaces the configuration's `pbt.hps` as a whole; an empty "
        "mapping tunes nothing. Absent: as the configuration says, else the usual seven.",
    )


class Gpu(Model):
    """How workers share GPUs on a cluster."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    # has(): the default `{}` is checked before its own defaults are in it.
                    "rule": "!has(self.sharing) || self.sharing != 'mig' || self.profile != ''",
                    "message": "sharing: mig needs the slice's profile, such as 1g.18gb",
                }
            ]
        }
    )
    sharing: Literal["timeSlicing", "mps", "mig", "dra", "exclusive", "none"] = Field(
        default="timeSlicing",
        description="`timeSlicing` and `mps`: each worker asks for one replica of a GPU that the "
        "device plugin offers several times. `mig`: one slice of a GPU each. `dra`: `perGPU` "
        "workers share one ResourceClaim, the one way that guarantees that they sit together. "
        "`exclusive`: a whole GPU each. `none`: train on CPU.",
    )
    resource: ResourceName = Field(
        default="nvidia.com/gpu",
        description="Extended resource that a worker asks for; `nvidia.com/gpu.shared` where the "
        "device plugin renames replicas.",
    )
    profile: Profile = Field(
        default="",
        description="With `mig`: the slice's profile, such as `1g.18gb`. Other ways of sharing do "
        "not read it.",
    )
    device_class: DeviceClass = Field(
        default="gpu.nvidia.com",
        description="With `dra`: the DeviceClass that claims ask for. Other ways of sharing do not "
        "read it.",
    )

    @model_validator(mode="after")
    def _mig_has_a_profile(self) -> Self:
        if self.sharing == "mig" and not self.profile:
            raise rule_broken("found sharing mig without a profile; expected one such as '1g.18gb'")
        return self


class Resources(Model):
    """What one worker asks for beside its share of a GPU."""

    cpu: Cores = Field(default=2, description="CPU cores of one worker: 2, or `500m` for half.")
    memory: Memory = Field(
        default="8Gi", description="Memory of one worker, such as `8Gi` (a bare number: bytes)."
    )


class PodTemplate(Model):
    """What to lay over the workers' pods, written as in a pod. What the operator needs itself (its
    volumes, labels and environment) cannot be changed."""

    labels: dict[str, str] | None = Field(default=None, description="Labels of the pods.")
    annotations: dict[str, str] | None = Field(default=None, description="Annotations of the pods.")
    node_selector: dict[str, str] | None = Field(
        default=None, description="Labels that a node must have."
    )
    tolerations: list[dict[str, Any]] | None = Field(
        default=None,
        description="Taints of nodes that are no obstacle. That of GPU nodes (`nvidia.com/gpu`) is "
        "none in any case.",
    )
    affinity: dict[str, Any] | None = Field(
        default=None, description="Which nodes and which other pods to be near or far from."
    )
    topology_spread_constraints: list[dict[str, Any]] | None = Field(
        default=None, description="How to spread the pods over nodes or zones."
    )
    priority_class_name: Text | None = Field(
        default=None, description="Which pods make room for which."
    )
    runtime_class_name: Text | None = Field(
        default=None, description="How the node runs the pods, where that is not its default."
    )
    scheduler_name: Text | None = Field(
        default=None, description="A scheduler other than the default."
    )
    service_account_name: Text | None = Field(
        default=None,
        description="ServiceAccount, for image pulls and identities; no token is mounted.",
    )
    security_context: dict[str, Any] | None = Field(
        default=None,
        description="The pods' security context, laid over the operator's: `supplementalGroups` "
        "and the like, where the volume needs them. User and group are the operator's.",
    )
    image: Text | None = Field(
        default=None, description="Image of the worker. Absent: the operator's choice."
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, description="When the image is pulled."
    )
    image_pull_secrets: list[dict[str, Any]] | None = Field(
        default=None, description="Secrets for the image's registry: `[{name: …}]`."
    )
    env: list[dict[str, Any]] | None = Field(
        default=None, description="Further environment variables of the worker."
    )
    env_from: list[dict[str, Any]] | None = Field(
        default=None,
        description="ConfigMaps and Secrets that are environment variables of the worker.",
    )
    volumes: list[dict[str, Any]] | None = Field(
        default=None,
        description="Further volumes. The shared claim and tokens of ServiceAccounts cannot be "
        "named here.",
    )
    volume_mounts: list[dict[str, Any]] | None = Field(
        default=None, description="Where the further volumes are mounted."
    )


class Workers(Model):
    """The processes that train members: pods on a cluster, processes on one machine."""

    count: WorkerCount = Field(
        default=8,
        description="How many workers; more than members are of no use. `kubectl scale` changes "
        "it, also while the run goes on.",
    )
    members_at_once: AutoOrPositive = Field(
        default="auto",
        description="How many members one worker trains side by side, in one process: a whole "
        "number, or `auto`: on a GPU the population divided among the workers, at most 32; on a "
        "CPU, which is faster with one after another, 1. Where memory is short it is halved.",
    )
    per_gpu: Positive = Field(
        default=2,
        alias="perGPU",
        description="How many workers share one GPU. Each keeps to its share of the memory.",
    )
    gpu: Gpu = Field(default_factory=Gpu, json_schema_extra=EMPTY)
    resources: Resources = Field(default_factory=Resources, json_schema_extra=EMPTY)
    pod_template: PodTemplate = Field(default_factory=PodTemplate, json_schema_extra=EMPTY)


class Export(Model):
    """What is computed from the best member at the end."""

    posterior_samples: Positive | None = Field(
        default=None,
        description="How many samples of the posterior each rate is the mean of. Absent: as the "
        "configuration's `posterior_sampling`, else 50.",
    )


class RunSpec(Model):
    """What is to be trained, how, and with what. Only `data` has to be given."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": TRANSITIONS})
    data: Data
    config_file: Text | None = Field(
        default=None,
        description="A configuration of the existing pipeline (YAML), found by the same rule as "
        "`data.path`. Absent: the defaults, with every size read from the data.",
        json_schema_extra=IN_RULE,
    )
    config: dict[str, Any] = Field(
        default_factory=dict,
        json_schema_extra=EMPTY,
        description="Configuration written inline, with the same keys as in `configFile`, such "
        "as `{model: {gen_dim: 200}}`. It is laid over the file's; where both say something, this "
        "wins.",
    )
    population: Population | None = Field(
        default=None,
        description="Number of members, the models trained side by side; 1 trains one without "
        "tuning. Absent: as the configuration's `pbt.num_samples`, else 16.",
        json_schema_extra=IN_RULE,
    )
    seed: Seed | None = Field(
        default=None,
        description="The number that all of the run's randomness comes from. Absent: as the "
        "configuration's `seed`, else drawn and recorded.",
        json_schema_extra=IN_RULE,
    )
    pbt: Pbt = Field(default_factory=Pbt, json_schema_extra=EMPTY)
    workers: Workers = Field(default_factory=Workers, json_schema_extra=EMPTY)
    export: Export = Field(default_factory=Export, json_schema_extra=EMPTY)
    suspend: bool = Field(
        default=False,
        description="Save, stop and give back all workers; false again goes on from there.",
    )
    keep_results: bool = Field(
        default=True,
        description="Keep the run's folder when the AutoLFADSRun is deleted.",
    )
    ttl_seconds_after_finished: Count | None = Field(
        default=None,
        description="Seconds after its end when the AutoLFADSRun is deleted. One that waits for "
        "you or is past activeDeadlineSeconds has not ended. Absent: never.",
    )
    active_deadline_seconds: Positive | None = Field(
        default=None,
        description="Seconds after its start when a run that has not ended fails. Absent: never.",
    )


class Metadata(Model):
    """The object's name, and whatever else Kubernetes keeps there."""

    model_config = ConfigDict(extra="allow")
    name: Name = Field(
        description="Name of the run, unique in its namespace: at most 63 lower-case letters, "
        "digits, '-' and '.', with a letter or digit at both ends."
    )
    namespace: Namespace | None = Field(
        default=None, description="Namespace on a cluster. Absent: the one kubectl is set to."
    )


class AutoLFADSRun(Model):
    """One AutoLFADS run: a population of LFADS models, trained on spikes and tuned by
    population-based training, from which the best gives denoised firing rates."""

    api_version: Literal["autolfads.io/v1alpha1"] = Field(
        description="Version of this manifest's form."
    )
    kind: Literal["AutoLFADSRun"] = Field(description="What this manifest describes.")
    metadata: Metadata
    spec: RunSpec
    status: RunStatus | None = Field(default=None, json_schema_extra=IN_RULE)
