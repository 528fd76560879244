"""What the NVIDIA driver says of GPUs is read for what it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from test_machine import driver

from autolfads_operator import machine


def test_the_parts_of_a_divided_gpu_are_not_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("GPU 0: NVIDIA H200 (UUID: GPU-1)", "  MIG 1g.18gb Device  0: (UUID: MIG-1)")
    lines += ("  MIG 1g.18gb Device  1: (UUID: MIG-2)", "GPU 1: NVIDIA H200 (UUID: GPU-2)")
    driver(tmp_path, monkeypatch, "".join(f"echo '{line}'\n" for line in lines))
    assert machine.gpus() == ["0", "1"]


def test_a_driver_that_hangs_offers_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(tmp_path, monkeypatch, "exec sleep 60")
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: run(*a, **{**k, "timeout": 0.2}))
    assert machine.gpus() == []
