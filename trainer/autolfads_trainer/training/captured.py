"""Work that is captured as a graph on a GPU and replayed: its thousands of launches cost as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

WARM_UP = 2  # calls before the capture, in which libraries load and find their ways


class Captured:
    """A call whose work is the same each time, on tensors that stay where they are.

    On a GPU it is captured as one CUDA graph by `prepare`, and calls replay that. What the work
    reads of memory may change in between; `generators` are those that it draws from. Elsewhere each
    call does the work.
    """

    def __init__(
        self, work: Callable[[], None], generators: Sequence[torch.Generator], device: torch.device
    ) -> None:
        self._work, self._generators, self._device = work, generators, device
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Do the work, or replay it."""
        if self._graph is None:
            self._work()
        else:
            self._graph.replay()

    def prepare(self) -> None:
        """Do the work once or more, which finds memory or is short of it, and capture it."""
        if self._device.type != "cuda":
            self._work()
            return
        # Capturing goes on in a stream of its own, and so must what warms it up.
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._work()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        # Of another thread, what would disturb a capture of its own is no matter for this one.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._work()
        self._graph = graph
