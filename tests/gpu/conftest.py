"""What runs on a GPU: where there is none these tests fail, since somebody asked for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from run_fixtures import data_file, make_run  # noqa: F401  (fixtures are found by their names)


@pytest.fixture(autouse=True)
def gpu() -> torch.device:
    """The first GPU."""
    assert torch.cuda.is_available(), "these tests need an NVIDIA GPU, and torch sees none"
    return torch.device("cuda")


@pytest.fixture
def exact() -> Iterator[None]:
    """Products of matrices in full float32, so that a GPU can be held against a CPU."""
    # By hand: the switch is no attribute that monkeypatch could put back.
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    yield
    torch.backends.cuda.matmul.fp32_precision = before
