"""All runs: how far they are, which GPUs they have, what they cost."""

from __future__ import annotations

from dashboards.parts import Board, Panel, Query, Row, in_namespaces, numbers

of = in_namespaces
TRAINING = of("autolfads_runs", 'state="Training"')
WAITING = of("autolfads_runs", 'state=~"Refused|Failed|Stalled"')
READY = of("autolfads_run_workers", 'state="ready"')
WANTED = of("autolfads_run_workers", 'state="wanted"')
DONE = f"{of('autolfads_run_epochs_done')} / {of('autolfads_run_epochs_expected')}"
BEST = of("autolfads_run_score", 'stat="best"')
COST = of("autolfads_run_gpu_cost_total")

BOARD = Board(
    uid="autolfads-fleet",
    title="AutoLFADS / all runs",
    description="Every AutoLFADSRun of the namespaces that are chosen.",
    variables=(("namespace", "Namespace", "autolfads_runs, namespace"),),
    rows=(
        Row(
            "Now",
            numbers(
                Panel(
                    "Runs in training",
                    "Runs whose state is Training.",
                    (Query(f"sum({TRAINING}) or vector(0)"),),
                ),
                Panel(
                    "Runs that wait for somebody",
                    "Refused, failed, stalled: their conditions say what to mend.",
                    (Query(f"sum({WAITING}) or vector(0)"),),
                    thresholds=((None, "green"), (1, "orange")),
                ),
                Panel(
                    "GPUs in use",
                    "What workers have of GPUs; two workers on one count as one.",
                    (Query(f"sum(rate({of('autolfads_run_gpu_seconds_total')}[5m]))"),),
                    decimals=1,
                ),
                Panel(
                    "Cost per day",
                    "At the price of a GPU hour that the operator was given; 0: it was given none.",
                    (Query(f"sum(rate({COST}[1h])) * 86400"),),
                    decimals=2,
                ),
                Panel(
                    "Cost in the time shown",
                    "The same, added up.",
                    (Query(f"sum(increase({COST}[$__range]))"),),
                    decimals=2,
                ),
                Panel(
                    "Workers ready of those wanted",
                    "Less than 1: pods start, wait for GPUs, or do not come up.",
                    (Query(f"sum({READY}) / (sum({WANTED}) > 0) or vector(1)"),),
                    unit="percentunit",
                    thresholds=((None, "red"), (0.5, "orange"), (0.95, "green")),
                ),
            ),
        ),
        Row(
            "Runs",
            (
                Panel(
                    "Runs",
                    "One line each. Scores are of the metric that selects; lower is better.",
                    (
                        Query(of("autolfads_run_stage")),
                        Query(of("autolfads_run_generation")),
                        Query(DONE),
                        Query(BEST),
                        Query(of("autolfads_run_time_left_seconds")),
                        Query(f"sum by (namespace, run) (increase({COST}[$__range]))"),
                    ),
                    kind="table",
                    width=24,
                    columns=(
                        ("Namespace", "namespace"),
                        ("Run", "run"),
                        ("Stage", "stage"),
                        ("Generation", "Value #B"),
                        ("Share of epochs", "Value #C"),
                        ("Best score", "Value #D"),
                        ("Seconds left", "Value #E"),
                        ("Cost in the time shown", "Value #F"),
                    ),
                ),
            ),
        ),
        Row(
            "How they get on",
            (
                Panel(
                    "Share of epochs",
                    "Of all epochs that a run can train; it can stop earlier.",
                    (Query(DONE, "{{run}}"),),
                    unit="percentunit",
                    lowest=0,
                ),
                Panel(
                    "Best score",
                    "Of the metric that selects; lower is better.",
                    (Query(BEST, "{{run}}"),),
                ),
                Panel(
                    "Runs by state",
                    "As their objects tell it.",
                    (Query(f"sum by (state) ({of('autolfads_runs')})", "{{state}}"),),
                    stacked=True,
                    lowest=0,
                ),
            ),
        ),
        Row(
            "GPUs",
            (
                Panel(
                    "GPUs in use",
                    "By run; two workers on one GPU count as one.",
                    (
                        Query(
                            f"sum by (run) (rate({of('autolfads_run_gpu_seconds_total')}[5m]))",
                            "{{run}}",
                        ),
                    ),
                    stacked=True,
                    lowest=0,
                ),
                Panel(
                    "Optimizer steps per second",
                    "Of all workers of a run.",
                    (Query(f"rate({of('autolfads_run_steps_total')}[5m])", "{{run}}"),),
                    unit="ops",
                    lowest=0,
                ),
                Panel(
                    "Utilization of GPUs",
                    "As NVIDIA's dcgm-exporter tells it, where it is installed: two workers on one "
                    "GPU are one line.",
                    (
                        Query(
                            "avg by (Hostname, gpu) (DCGM_FI_DEV_GPU_UTIL)",
                            "{{Hostname}} GPU {{gpu}}",
                        ),
                    ),
                    unit="percent",
                    lowest=0,
                ),
            ),
        ),
        Row(
            "What went wrong",
            (
                Panel(
                    "Attempts that ended early",
                    "In an hour: saved (told to leave), abandoned (no sign of life), failed.",
                    (
                        Query(
                            "sum by (how) "
                            f"(increase({of('autolfads_run_interruptions_total')}[1h]))",
                            "{{how}}",
                        ),
                    ),
                    lowest=0,
                ),
                Panel(
                    "Pods that the cluster took away",
                    "In an hour: evicted, preempted, drained, reclaimed.",
                    (
                        Query(
                            f"sum by (run) (increase({of('autolfads_run_preemptions_total')}[1h]))",
                            "{{run}}",
                        ),
                    ),
                    lowest=0,
                ),
                Panel(
                    "Epochs lost",
                    "In an hour: trained, and not saved when the attempt ended.",
                    (
                        Query(
                            f"sum by (run) (increase({of('autolfads_run_epochs_lost_total')}[1h]))",
                            "{{run}}",
                        ),
                    ),
                    lowest=0,
                ),
            ),
        ),
    ),
)
