"""The manifest's status: what the operator last saw, small enough to write often.

History is in the run's folder and in metrics, not here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from autolfads_operator.fields import Count, Model, Positive

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, in UTC, as Kubernetes writes it."""


class StatusModel(Model):
    """Base of the status. Unknown keys are ignored: a newer operator may have written them."""

    model_config = ConfigDict(extra="ignore")


class Condition(StatusModel):
    """One thing that holds of the run or does not, and why (as in all of Kubernetes)."""

    type: Annotated[str, Field(max_length=316)] = Field(
        description="What this is about, such as `DataReady`."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[str, Field(max_length=1024)] = Field(
        description="Why, in one CamelCase word for programs."
    )
    message: Annotated[str, Field(max_length=32768)] = Field(
        description="Why, in a sentence: what was found, and what to change."
    )
    last_transition_time: Time = Field(description="When `status` last changed.")
    observed_generation: Count | None = Field(
        default=None, description="The `metadata.generation` that this was said of."
    )


class MemberCounts(StatusModel):
    """How many members there are, by what they are doing."""

    total: Count = Field(default=0, description="The population.")
    running: Count = Field(default=0, description="Members that a worker trains now.")
    waiting: Count = Field(default=0, description="Members that wait for a worker.")
    finished: Count = Field(default=0, description="Members that have ended this generation.")
    failed: Count = Field(default=0, description="Members lost in this generation.")


class Best(StatusModel):
    """The best score at the end of any generation so far."""

    member: Count = Field(description="The member that reached it.")
    generation: Positive = Field(description="At the end of this generation.")
    score: str = Field(description="The score, rounded; lower is better.")


class WorkerCounts(StatusModel):
    """How many workers there should be, and are."""

    wanted: Count = Field(default=0, description="Workers asked for now; 0 when suspended.")
    ready: Count = Field(default=0, description="Workers that have shown life.")
    selector: str | None = Field(
        default=None, description="Label selector of the workers' pods, for autoscalers."
    )


class RunStatus(StatusModel):
    """What the operator last saw; not for users to write."""

    observed_generation: Count | None = Field(
        default=None, description="The `metadata.generation` that this status describes."
    )
    state: str | None = Field(
        default=None,
        description="The run in one word, for people; programs read the conditions.",
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        description="What holds of the run: Accepted, DataReady, WorkersReady, Progressing, "
        "Suspended, Succeeded, Failed.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    )
    generation: Count | None = Field(
        default=None, description="The generation of training under way, counted from 1."
    )
    members: MemberCounts | None = None
    best: Best | None = None
    workers: WorkerCounts | None = None
    time_left: str | None = Field(
        default=None,
        description="How long training can still take at most, as it went so far; a run that "
        "stops improving ends earlier.",
    )
    start_time: Time | None = Field(default=None, description="When the run was first taken up.")
    completion_time: Time | None = Field(default=None, description="When the run ended.")
    seed: Count | None = Field(
        default=None, description="The seed in use, drawn where the manifest gave none."
    )
    run_folder: str | None = Field(
        default=None, description="The run's folder, relative to the shared volume's root."
    )
