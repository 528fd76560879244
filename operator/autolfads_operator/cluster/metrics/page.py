"""The page that Prometheus reads."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family

from autolfads_operator.cluster.metrics import table
from autolfads_operator.cluster.metrics.of_operator import OperatorMetrics
from autolfads_operator.cluster.metrics.of_runs import Known, Sample, samples_of
from autolfads_operator.cluster.metrics.table import Metric
from autolfads_operator.cluster.probes import VolumeWatch
from autolfads_operator.cluster.runs import Runs
from autolfads_trainer.disk import COUNTS

log = logging.getLogger("autolfads.run")


@dataclass(eq=False)  # the registry keeps it by what it is
class Page:
    """All that there is to tell, made anew each time that it is asked for."""

    runs: Runs
    volume: VolumeWatch
    metrics: OperatorMetrics

    def __post_init__(self) -> None:
        self.metrics.registry.register(self)

    def text(self) -> bytes:
        """Return the page in Prometheus's text format."""
        return generate_latest(self.metrics.registry)

    def collect(self) -> Iterator[Family]:
        """Yield what is known now. prometheus_client calls it for each page."""
        known = [loop.known() for loop in list(self.runs.loops.values())]
        yield from families_of([each for each in known if each is not None])
        yield from self._of_operator()

    def _of_operator(self) -> Iterator[Family]:
        operator, mirror = self.runs.operator, self.runs.operator.mirror
        now = time.monotonic()
        yield _gauge(table.OLDEST, self.runs.oldest_turn())
        yield _gauge(table.AT_WORK, len(operator.at_work))
        yield _gauge(table.OTHERS, len(operator.other_operators))
        ages = GaugeMetricFamily(table.WATCH_AGE.name, table.WATCH_AGE.help, labels=["resource"])
        for resource, shelf in (
            ("autolfadsruns", mirror.runs),
            ("jobs", mirror.jobs),
            ("pods", mirror.pods),
        ):
            ages.add_metric([resource], now - shelf.heard_at)
        yield ages
        yield CounterMetricFamily(table.READS.family, table.READS.help, value=COUNTS.reads)
        if self.volume.size is not None and self.volume.free is not None:
            yield _gauge(table.VOLUME_SIZE, self.volume.size)
            yield _gauge(table.VOLUME_FREE, self.volume.free)
        yield _gauge(table.VOLUME_AGE, self.volume.age)


def _gauge(metric: Metric, value: float) -> Family:
    return GaugeMetricFamily(metric.name, metric.help, value=value)


def _samples(known: Known) -> list[Sample]:
    """Return the samples of a run; of one that cannot be told none: the others' must be."""
    try:
        return [(metric, labels, float(value)) for metric, labels, value in samples_of(known)]
    except Exception:
        log.exception("no metrics of %s/%s", known.run.namespace, known.run.name)
        return []


def families_of(known: Iterable[Known]) -> Iterator[Family]:
    """Yield the metrics of all runs."""
    families: dict[Metric, CounterMetricFamily | GaugeMetricFamily] = {}
    states: Counter[tuple[str, str]] = Counter()
    handovers = HistogramMetricFamily(
        table.HANDOVER.name, table.HANDOVER.help, labels=table.HANDOVER.labels
    )
    for each in known:
        of_it = [each.run.namespace, each.run.name]
        states[each.run.namespace, str(each.status.get("state") or "New")] += 1
        for metric, labels, value in _samples(each):
            family = families.get(metric)
            if family is None:
                kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                family = families[metric] = kind(metric.family, metric.help, labels=metric.labels)
            family.add_metric([*of_it, *labels], value)
        if each.tally is not None:
            waits = each.tally.handovers
            handovers.add_metric(of_it, buckets=waits.buckets(), sum_value=waits.sum)
    counted = GaugeMetricFamily(table.RUNS.name, table.RUNS.help, labels=table.RUNS.labels)
    for (namespace, state), count in sorted(states.items()):
        counted.add_metric([namespace, state], count)
    yield counted
    yield from families.values()
    yield handovers
