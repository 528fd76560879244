"""What adds up for the operator as a whole."""

from __future__ import annotations

import platform

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from autolfads_operator import __version__
from autolfads_operator.cluster.metrics import table
from autolfads_operator.cluster.metrics.table import Metric

# Errors of a volume that each have a name in `errno`; a counter that was never raised is no series,
# and an alert on it could not be told from one with a wrong name.
LIKELY = ("EIO", "ESTALE", "ENOSPC", "EDQUOT", "EROFS", "ETIMEDOUT", "EACCES")


class OperatorMetrics:
    """The instruments. One for a process; others may be made for tests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector("autolfads_operator", registry=self.registry)
        self._build = self._gauge(table.BUILD)
        self._build.labels(__version__, platform.python_version()).set(1)
        self._turns = Histogram(
            table.TURNS.name,
            table.TURNS.help,
            buckets=table.TURNS.buckets,
            registry=self.registry,
        )
        self._late = self._counter(table.LATE)
        self._requests = self._counter(table.REQUESTS)
        self._errors = self._counter(table.ERRORS)
        for name in LIKELY:
            self._errors.labels(name)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.family, metric.help, metric.labels, registry=self.registry)

    def turn(self, seconds: float, *, late: bool) -> None:
        """Note a turn on the volume that has come back."""
        self._turns.observe(seconds)
        if late:
            self._late.inc()

    def request(self, verb: str, resource: str, code: int) -> None:
        """Note a request to the API server."""
        self._requests.labels(verb.lower(), resource, str(code)).inc()

    def volume_error(self, name: str) -> None:
        """Note an error of the volume, by its name in `errno`."""
        self._errors.labels(name).inc()


METRICS = OperatorMetrics()
