"""Probes: `/healthz` says whether the loops turn, `/readyz` whether the volume answers as well.

They use nothing that touches the volume: a mount that hangs must not make the operator look dead,
since starting it again does not mend a mount.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

TOO_OLD = 150.0  # seconds: full lists come each minute, and a request takes 20 s at most
LOOK = 10.0  # seconds between looks at the volume
STALE = 30.0  # seconds without an answer of the volume


class VolumeWatch:
    """Looks at the volume's root in a thread of its own, which alone hangs with it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._answered: float | None = None
        self._trouble = "it has not answered yet"
        threading.Thread(target=self._look_for_ever, daemon=True, name="volume watch").start()

    def _look_for_ever(self) -> None:
        while True:
            try:
                self._root.stat()
                self._answered = time.monotonic()
            except OSError as error:
                self._trouble = error.strerror or str(error)
            time.sleep(LOOK)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the volume; None: nothing."""
        if self._answered is None:
            return self._trouble
        age = time.monotonic() - self._answered
        return None if age < LOOK + STALE else f"it has not answered for {age:.0f} s"


async def serve(port: int, oldest_turn: Callable[[], float], volume: VolumeWatch) -> None:
    """Answer probes for ever."""

    async def health(_: web.Request) -> web.Response:
        age = oldest_turn()
        return _answer(None if age < TOO_OLD else f"a loop has not turned for {age:.0f} s")

    async def ready(_: web.Request) -> web.Response:
        trouble = volume.trouble
        return _answer(f"the volume: {trouble}" if trouble else None)

    app = web.Application()
    app.add_routes([web.get("/healthz", health), web.get("/readyz", ready)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _answer(trouble: str | None) -> web.Response:
    return web.Response(text=f"{trouble or 'ok'}\n", status=200 if trouble is None else 503)
