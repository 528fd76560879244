"""Probes: `/healthz` says whether the loops turn, `/readyz` whether the volume answers as well.

They use nothing that touches the volume: a mount that hangs must not make the operator look dead,
since starting it again does not mend a mount.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

TOO_OLD = 150.0  # seconds: full lists come each minute, and a request takes 20 s at most
LOOK = 10.0  # seconds between looks at the volume
STALE = 30.0  # seconds without an answer of the volume
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class VolumeWatch:
    """Looks at the volume's root in a thread of its own, which alone hangs with it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.size: float | None = None  # bytes
        self.free: float | None = None
        self._begun = time.monotonic()
        self._answered: float | None = None
        self._trouble = "it has not answered yet"
        threading.Thread(target=self._look_for_ever, daemon=True, name="volume watch").start()

    def _look_for_ever(self) -> None:
        while True:
            try:
                found = os.statvfs(self._root)
                self.size = float(found.f_frsize * found.f_blocks)
                self.free = float(found.f_frsize * found.f_bavail)
                self._answered = time.monotonic()
            except OSError as error:
                self._trouble = error.strerror or str(error)
            time.sleep(LOOK)

    @property
    def age(self) -> float:
        """Seconds since the volume last answered, or since it was first asked."""
        return time.monotonic() - (self._begun if self._answered is None else self._answered)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the volume; None: nothing."""
        if self._answered is None:
            return self._trouble
        age = time.monotonic() - self._answered
        return None if age < LOOK + STALE else f"it has not answered for {age:.0f} s"


async def serve(
    port: int,
    oldest_turn: Callable[[], float],
    volume: VolumeWatch,
    metrics: Callable[[], bytes],
) -> None:
    """Answer probes, and who asks for metrics, for ever."""

    async def health(_: web.Request) -> web.Response:
        age = oldest_turn()
        return _answer(None if age < TOO_OLD else f"a loop has not turned for {age:.0f} s")

    async def ready(_: web.Request) -> web.Response:
        trouble = volume.trouble
        return _answer(f"the volume: {trouble}" if trouble else None)

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": METRICS_TYPE})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", health), web.get("/readyz", ready), web.get("/metrics", page)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _answer(trouble: str | None) -> web.Response:
    return web.Response(text=f"{trouble or 'ok'}\n", status=200 if trouble is None else 503)
