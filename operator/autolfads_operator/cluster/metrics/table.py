"""Every metric: its name, its kind, its labels and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True)
class Metric:
    """One metric, as it is called on the page."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """Its name without what the format adds to counters."""
        return self.name.removesuffix("_total") if self.kind == "counter" else self.name


# Of a run: `namespace` and `run` come first in all of them.
RUN = ("namespace", "run")
SECONDS_OF_WORK = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


def _of_run(
    name: str, kind: Kind, help_: str, *labels: str, buckets: tuple[float, ...] = ()
) -> Metric:
    return Metric(f"autolfads_run_{name}", kind, help_, (*RUN, *labels), buckets)


def _of_operator(
    name: str, kind: Kind, help_: str, *labels: str, buckets: tuple[float, ...] = ()
) -> Metric:
    return Metric(f"autolfads_operator_{name}", kind, help_, labels, buckets)


# Runs, as their objects tell of them.
RUNS = Metric(
    "autolfads_runs", "gauge", "Runs in a state (`status.state`).", ("namespace", "state")
)
CONDITION = _of_run(
    "condition",
    "gauge",
    "1: the condition is True; 0: it is False; -1: Unknown. With its reason.",
    "condition",
    "reason",
)
CREATED = _of_run("created_timestamp_seconds", "gauge", "When the run's object was made.")
ENDED = _of_run("completed_timestamp_seconds", "gauge", "When it ended; absent before.")
WORKERS = _of_run(
    "workers", "gauge", "Workers: `asked` for by the user, `wanted` now, `ready`.", "state"
)

# How far training is.
STAGE = _of_run(
    "stage",
    "gauge",
    "1, with what the run directory is about: `preparing`, `training`, `exporting`, `succeeded`, "
    "`failed`.",
    "stage",
)
GENERATION = _of_run("generation", "gauge", "The newest generation that has an order.")
LAST_GENERATION = _of_run("last_generation", "gauge", "The last generation that there can be.")
EPOCHS = _of_run("epochs_done", "gauge", "Epochs that all members have trained.")
ALL_EPOCHS = _of_run("epochs_expected", "gauge", "Epochs that all members can train in all.")
MEMBERS = _of_run(
    "members",
    "gauge",
    "Members in their newest generation: `waiting`, `training`, `finished`, `lost`.",
    "state",
)
TIME_LEFT = _of_run("time_left_seconds", "gauge", "Seconds until the last epoch, at most.")
IMPROVING = _of_run(
    "still_improving",
    "gauge",
    "1: within the last `patience` generations the best score improved by more than "
    "`minImprovementRatio`. A run that ends so could have been trained longer.",
)

# How good it is.
SCORE = _of_run(
    "score",
    "gauge",
    "The metric that selects (`valid/recon_smth`, lower is better): `best` at the end of any "
    "generation, `median` of the members' newest.",
    "stat",
)
BITS = _of_run(
    "bits_per_spike",
    "gauge",
    "Bits per spike of the validation trials, newest of each member: of the `best` member (by "
    "score), and the `median`.",
    "stat",
)
MEMBER_SCORE = _of_run("member_score", "gauge", "Each member's newest score.", "member")
HYPERPARAMETER = _of_run(
    "hyperparameter",
    "gauge",
    "What the newest orders give, over members: `min`, `median`, `max`.",
    "hyperparameter",
    "stat",
)
MEMBER_HYPERPARAMETER = _of_run(
    "member_hyperparameter",
    "gauge",
    "What each member's newest order gives; of populations of up to 64 members.",
    "member",
    "hyperparameter",
)
MEMBER_PARENT = _of_run(
    "member_parent",
    "gauge",
    "The member from whose end each member's newest order starts: itself, or the one that it "
    "became a copy of; of populations of up to 64 members.",
    "member",
)

# What adds up.
EXPLOITS = _of_run(
    "exploits_total", "counter", "Members that were replaced: that became a copy of a better one."
)
RETRIES = _of_run("retries_total", "counter", "Attempts at training beyond the first.")
INTERRUPTIONS = _of_run(
    "interruptions_total",
    "counter",
    "Attempts that ended early: `saved` (told to leave), `abandoned` (no sign of life), `failed`.",
    "how",
)
PREEMPTIONS = _of_run(
    "preemptions_total", "counter", "Pods that the cluster took away (DisruptionTarget)."
)
EPOCHS_LOST = _of_run(
    "epochs_lost_total", "counter", "Epochs that were trained and not saved when an attempt ended."
)
STEPS = _of_run("steps_total", "counter", "Steps of the optimizer, of all workers.")
GPU_SECONDS = _of_run(
    "gpu_seconds_total", "counter", "Seconds that workers had GPUs, each with its share of one."
)
COST = _of_run(
    "gpu_cost_total",
    "counter",
    "The same at the price of a GPU hour that the operator was given (`--gpu-hour-price`).",
)
HANDOVER = _of_run(
    "handover_seconds",
    "histogram",
    "Seconds that the last worker of a generation waited for its next task: the least of all "
    "workers' waits (asynchronous: each wait).",
    buckets=(0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0),
)

# The operator.
BUILD = _of_operator("build_info", "gauge", "1, with the versions.", "version", "python")
TURNS = _of_operator(
    "turn_seconds",
    "histogram",
    "Seconds that a run's turn on the volume took.",
    buckets=SECONDS_OF_WORK,
)
LATE = _of_operator("turns_late_total", "counter", "Turns that took more than 10 seconds.")
OLDEST = _of_operator(
    "oldest_turn_seconds", "gauge", "Seconds since the loop turned that is slowest."
)
AT_WORK = _of_operator("runs_at_work", "gauge", "Runs that take turns on the volume.")
OTHERS = _of_operator("others", "gauge", "Other operators that look after this namespace.")
REQUESTS = _of_operator(
    "api_requests_total",
    "counter",
    "Requests to the API server, beside watches. Code 0: no answer.",
    "verb",
    "resource",
    "code",
)
WATCH_AGE = _of_operator(
    "watch_age_seconds",
    "gauge",
    "Seconds since something was heard of a kind: by a watch, or a full list (once a minute).",
    "resource",
)
READS = _of_operator("volume_reads_total", "counter", "Files read from the volume.")
ERRORS = _of_operator(
    "volume_errors_total", "counter", "Turns that an error of the volume broke off.", "error"
)
VOLUME_SIZE = Metric("autolfads_volume_size_bytes", "gauge", "Size of the shared volume.")
VOLUME_FREE = Metric("autolfads_volume_free_bytes", "gauge", "What is free of it.")
VOLUME_AGE = Metric(
    "autolfads_volume_answered_seconds", "gauge", "Seconds since the volume last answered."
)

METRICS: tuple[Metric, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)


def as_markdown() -> Iterator[str]:
    """Yield the lines of `docs/metrics.md`."""
    yield "# Metrics"
    yield ""
    yield "Generated by `make generate`. The operator serves them at `/metrics` of its port (8080)."
    yield "Series of a run are gone when its object is. Counters begin with the operator's process;"
    yield "`rate` and `increase` know how to take that. To look at them by hand:"
    yield ""
    yield "    kubectl port-forward -n autolfads service/autolfads-operator 8080"
    yield "    curl localhost:8080/metrics"
    yield ""
    yield "Besides these there are `autolfads_operator_process_…` (memory, processor, open files),"
    yield "as prometheus_client gives them."
    yield ""
    yield "| Metric | Kind | Labels | Meaning |"
    yield "|---|---|---|---|"
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"


if __name__ == "__main__":
    print("\n".join(as_markdown()))
