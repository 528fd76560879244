"""The operator's log: lines for people, or one JSON object each, for collectors."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from autolfads_operator.view.tell import printable

FIELDS = ("run", "generation", "member")


class JsonLines(logging.Formatter):
    """One object per line: time, level, logger, message, and what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class Lines(logging.Formatter):
    """Lines for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's own name)
        """Return the line, with the run's name before the message."""
        # A worker may have written a part of it: it must not look like a line of its own.
        record.message = "\n    ".join(map(printable, record.message.splitlines()))
        run = getattr(record, "run", None)
        if run is not None:
            record.message = f"{run}: {record.message}"
        return super().formatMessage(record)


def set_up_logs(form: Literal["text", "json"], *, verbose: bool) -> None:
    """Write to stderr in the form that is asked for; kopf's own chatter only when `verbose`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else Lines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("kopf").setLevel(logging.DEBUG if verbose else logging.WARNING)
    logging.getLogger("autolfads").setLevel(logging.DEBUG if verbose else logging.INFO)
