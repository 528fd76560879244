"""The operator itself: whether it turns, what it asks the API, how the volume is."""

from __future__ import annotations

from dashboards.parts import Board, Panel, Query, Row, in_namespaces, numbers, quantile


def of(metric: str) -> str:
    """Return a selector of the namespaces that are chosen."""
    return in_namespaces(f"autolfads_{metric}")


def slowest(share: float) -> str:
    """Return what that share of turns took at most."""
    buckets = f"sum by (namespace, le) (rate({of('operator_turn_seconds_bucket')}[5m]))"
    return quantile(share, buckets)


BOARD = Board(
    uid="autolfads-operator",
    title="AutoLFADS / operator",
    description="Whether the operators of the namespaces that are chosen do their work.",
    variables=(("namespace", "Namespace", "autolfads_operator_build_info, namespace"),),
    rows=(
        Row(
            "Now",
            numbers(
                Panel(
                    "Operators",
                    "That tell of themselves: one for each namespace.",
                    (Query(f"count({of('operator_build_info')}) or vector(0)"),),
                    thresholds=((None, "red"), (1, "green")),
                ),
                Panel(
                    "Oldest turn",
                    "Seconds since the slowest loop turned. After 150 s kubelet starts it anew.",
                    (Query(f"max({of('operator_oldest_turn_seconds')})"),),
                    unit="s",
                    thresholds=((None, "green"), (75, "orange"), (120, "red")),
                ),
                Panel(
                    "Volume last answered",
                    "Seconds ago. Runs wait while it does not.",
                    (Query(f"max({of('volume_answered_seconds')})"),),
                    unit="s",
                    thresholds=((None, "green"), (30, "orange"), (60, "red")),
                ),
                Panel(
                    "Free of the volume",
                    "EFS says that it is endless.",
                    (Query(f"min({of('volume_free_bytes')} / {of('volume_size_bytes')})"),),
                    unit="percentunit",
                    thresholds=((None, "red"), (0.1, "orange"), (0.2, "green")),
                ),
                Panel(
                    "Runs at work",
                    "That take turns on the volume.",
                    (Query(f"sum({of('operator_runs_at_work')})"),),
                ),
                Panel(
                    "Other operators",
                    "Of the same namespace: harmless, and not wanted.",
                    (Query(f"sum({of('operator_others')})"),),
                    thresholds=((None, "green"), (1, "orange")),
                ),
            ),
        ),
        Row(
            "Turns",
            (
                Panel(
                    "Seconds of a turn",
                    "On the volume: of half of them, and of 99 %, at most.",
                    (
                        Query(slowest(0.5), "{{namespace}} median"),
                        Query(slowest(0.99), "{{namespace}} 99 %"),
                    ),
                    unit="s",
                    lowest=0,
                ),
                Panel(
                    "Turns per second",
                    "All runs together: at most 200.",
                    (
                        Query(
                            f"sum by (namespace) (rate({of('operator_turn_seconds_count')}[5m]))",
                            "{{namespace}}",
                        ),
                    ),
                    unit="ops",
                    lowest=0,
                ),
                Panel(
                    "Late turns",
                    "In 10 minutes: that took more than 10 seconds.",
                    (Query(f"increase({of('operator_turns_late_total')}[10m])", "{{namespace}}"),),
                    lowest=0,
                ),
            ),
        ),
        Row(
            "The API server",
            (
                Panel(
                    "Requests",
                    "By verb and resource, beside watches.",
                    (
                        Query(
                            "sum by (verb, resource) "
                            f"(rate({of('operator_api_requests_total')}[5m]))",
                            "{{verb}} {{resource}}",
                        ),
                    ),
                    unit="reqps",
                    lowest=0,
                ),
                Panel(
                    "Requests by answer",
                    "2xx is well; 409 and 404 happen; 403: a right is missing; 0: no answer.",
                    (
                        Query(
                            f"sum by (code) (rate({of('operator_api_requests_total')}[5m]))",
                            "{{code}}",
                        ),
                    ),
                    unit="reqps",
                    lowest=0,
                ),
                Panel(
                    "Last heard",
                    "Seconds since a watch or a full list told of a kind; lists come each minute.",
                    (
                        Query(
                            of("operator_watch_age_seconds"),
                            "{{namespace}} {{resource}}",
                        ),
                    ),
                    unit="s",
                    lowest=0,
                    thresholds=((None, "green"), (120, "red")),
                ),
            ),
        ),
        Row(
            "The volume",
            (
                Panel(
                    "Files read",
                    "Per second.",
                    (Query(f"rate({of('operator_volume_reads_total')}[5m])", "{{namespace}}"),),
                    unit="ops",
                    lowest=0,
                ),
                Panel(
                    "Errors",
                    "In 10 minutes: turns that an error of the volume broke off, by its name.",
                    (
                        Query(
                            f"sum by (error) (increase({of('operator_volume_errors_total')}[10m]))",
                            "{{error}}",
                        ),
                    ),
                    lowest=0,
                ),
                Panel(
                    "Size",
                    "And what is free of it.",
                    (
                        Query(of("volume_size_bytes"), "{{namespace}} size"),
                        Query(of("volume_free_bytes"), "{{namespace}} free"),
                    ),
                    unit="bytes",
                    lowest=0,
                ),
            ),
        ),
        Row(
            "The process",
            (
                Panel(
                    "Memory",
                    "Resident. 100 runs of 16 workers need 190 MiB.",
                    (Query(of("operator_process_resident_memory_bytes"), "{{namespace}}"),),
                    unit="bytes",
                    width=12,
                    lowest=0,
                ),
                Panel(
                    "Processor",
                    "Cores in use.",
                    (
                        Query(
                            f"rate({of('operator_process_cpu_seconds_total')}[5m])",
                            "{{namespace}}",
                        ),
                    ),
                    width=12,
                    lowest=0,
                ),
            ),
        ),
    ),
)
