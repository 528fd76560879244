"""One run: the population, its hyperparameters, its workers."""

from __future__ import annotations

from dashboards.parts import Board, Panel, Query, Row, chosen, numbers, quantile

of = chosen
SHORT = "5m"


def rate(metric: str) -> str:
    """Return a counter's increase in a second."""
    return f"rate({of(metric)}[{SHORT}])"


def in_an_hour(metric: str) -> str:
    """Return a counter's increase in an hour."""
    return f"increase({of(metric)}[1h])"


def slowest(share: float) -> str:
    """Return what that share of hand-overs took at most."""
    buckets = f"sum by (le) (increase({of('autolfads_run_handover_seconds_bucket')}[1h]))"
    return quantile(share, buckets)


BOARD = Board(
    uid="autolfads-run",
    title="AutoLFADS / one run",
    description="The population of one AutoLFADSRun, and the workers that train it.",
    variables=(
        ("namespace", "Namespace", "autolfads_runs, namespace"),
        (
            "run",
            "Run",
            'autolfads_run_created_timestamp_seconds{namespace=~"$namespace"}, run',
        ),
        (
            "hyperparameter",
            "Hyperparameter",
            'autolfads_run_hyperparameter{namespace=~"$namespace", run=~"$run"}, hyperparameter',
        ),
    ),
    single=("namespace", "run"),
    rows=(
        Row(
            "Now",
            numbers(
                Panel(
                    "Generation",
                    "The newest that has an order.",
                    (Query(of("autolfads_run_generation")),),
                ),
                Panel(
                    "Share of epochs",
                    "Of all that it can train; it stops earlier when it does not improve.",
                    (
                        Query(
                            f"{of('autolfads_run_epochs_done')} / "
                            f"{of('autolfads_run_epochs_expected')}"
                        ),
                    ),
                    unit="percentunit",
                ),
                Panel(
                    "Time left",
                    "Until the last epoch, at most.",
                    (Query(f"{of('autolfads_run_time_left_seconds')} or vector(0)"),),
                    unit="s",
                ),
                Panel(
                    "Best score",
                    "Of the metric that selects; lower is better.",
                    (Query(of("autolfads_run_score", more='stat="best"')),),
                    decimals=4,
                ),
                Panel(
                    "Bits per spike",
                    "Of the best member, on the validation trials.",
                    (Query(of("autolfads_run_bits_per_spike", more='stat="best"')),),
                    decimals=3,
                ),
                Panel(
                    "Still improving",
                    "1: the best score improved within the last generations. A run that ends so "
                    "could have been trained longer.",
                    (Query(of("autolfads_run_still_improving")),),
                ),
            ),
        ),
        Row(
            "Population",
            (
                Panel(
                    "Scores of the members",
                    "Newest of each; a member that copies a better one jumps to its score.",
                    (Query(of("autolfads_run_member_score"), "member {{member}}"),),
                    width=12,
                    height=9,
                ),
                Panel(
                    "Best and median score",
                    "They draw near to each other as the population agrees.",
                    (Query(of("autolfads_run_score"), "{{stat}}"),),
                    width=6,
                    height=9,
                ),
                Panel(
                    "Bits per spike",
                    "Newest of each member on the validation trials: of the best one, and median.",
                    (Query(of("autolfads_run_bits_per_spike"), "{{stat}}"),),
                    width=6,
                    height=9,
                ),
                Panel(
                    "Members",
                    "In their newest generation.",
                    (Query(of("autolfads_run_members"), "{{state}}"),),
                    stacked=True,
                    lowest=0,
                ),
                Panel(
                    "Copies of better members",
                    "In an hour: losers of a tournament that became the winner, perturbed.",
                    (Query(in_an_hour("autolfads_run_exploits_total"), "copies"),),
                    lowest=0,
                ),
                Panel(
                    "Epochs",
                    "That all members have trained, of all that they can.",
                    (
                        Query(of("autolfads_run_epochs_done"), "done"),
                        Query(of("autolfads_run_epochs_expected"), "at most"),
                    ),
                    lowest=0,
                ),
            ),
        ),
        Row(
            "Hyperparameters",
            (
                Panel(
                    "$hyperparameter",
                    "What the newest orders give: least, median and greatest over members. The "
                    "population moves to where it learns well, and spreads by perturbation.",
                    (
                        Query(
                            of(
                                "autolfads_run_hyperparameter",
                                more='hyperparameter=~"$hyperparameter"',
                            ),
                            "{{stat}}",
                        ),
                    ),
                    logarithmic=True,
                    repeat="hyperparameter",
                ),
                Panel(
                    "$hyperparameter of each member",
                    "Its lineage: a member that becomes a copy of another jumps to that one's "
                    "value, perturbed.",
                    (
                        Query(
                            of(
                                "autolfads_run_member_hyperparameter",
                                more='hyperparameter=~"$hyperparameter"',
                            ),
                            "member {{member}}",
                        ),
                    ),
                    logarithmic=True,
                    repeat="hyperparameter",
                ),
                Panel(
                    "Whose copy",
                    "The member from whose weights each member's newest generation starts: itself, "
                    "or the one that it became a copy of.",
                    (Query(of("autolfads_run_member_parent"), "member {{member}}"),),
                    lowest=0,
                ),
            ),
        ),
        Row(
            "Workers",
            (
                Panel(
                    "Workers",
                    "Asked for in the manifest, wanted now, and ready.",
                    (Query(of("autolfads_run_workers"), "{{state}}"),),
                    lowest=0,
                ),
                Panel(
                    "Optimizer steps per second",
                    "Of all workers.",
                    (Query(rate("autolfads_run_steps_total"), "steps"),),
                    unit="ops",
                    lowest=0,
                ),
                Panel(
                    "Hand-over",
                    "Seconds that the last worker of a generation waits for its next task.",
                    (Query(slowest(0.5), "median"), Query(slowest(0.95), "95 %")),
                    unit="s",
                    lowest=0,
                    thresholds=((None, "green"), (2, "orange")),
                ),
                Panel(
                    "GPUs in use",
                    "Two workers on one GPU count as one.",
                    (Query(rate("autolfads_run_gpu_seconds_total"), "GPUs"),),
                    lowest=0,
                ),
                Panel(
                    "Cost",
                    "In the time shown, at the price that the operator was given.",
                    (Query(f"increase({of('autolfads_run_gpu_cost_total')}[$__range])", "cost"),),
                    lowest=0,
                    decimals=2,
                ),
                Panel(
                    "What went wrong",
                    "In an hour: attempts that ended early, by how; attempts made again; pods "
                    "that the cluster took away; epochs lost.",
                    (
                        Query(in_an_hour("autolfads_run_interruptions_total"), "{{how}}"),
                        Query(in_an_hour("autolfads_run_retries_total"), "made again"),
                        Query(in_an_hour("autolfads_run_preemptions_total"), "pods taken away"),
                        Query(in_an_hour("autolfads_run_epochs_lost_total"), "epochs lost"),
                    ),
                    lowest=0,
                ),
            ),
        ),
        Row(
            "Conditions",
            (
                Panel(
                    "Conditions",
                    "1: True; 0: False; -1: Unknown. With their reasons.",
                    (Query(of("autolfads_run_condition"), "{{condition}}: {{reason}}"),),
                    kind="states",
                    width=24,
                    height=10,
                    thresholds=((None, "yellow"), (0, "blue"), (1, "green")),
                ),
            ),
        ),
    ),
)
