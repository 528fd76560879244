"""How many workers this machine can carry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from autolfads_operator import machine

CORES = 6


@pytest.fixture(autouse=True)
def _six_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(CORES)), raising=False)


def groups(folder: Path, lines: str) -> tuple[Path, Path]:
    """Return a place of control groups, and a `/proc` that says which are this process's."""
    proc = folder / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text(lines)
    return folder, proc


def v2(folder: Path, text: str, group: str = "") -> tuple[Path, Path]:
    (folder / group).mkdir(exist_ok=True, parents=True)
    (folder / group / "cpu.max").write_text(text)
    return groups(folder, f"0::/{group}\n")


def v1(folder: Path, quota: str, group: str = "") -> tuple[Path, Path]:
    place = folder / "cpu" / group
    place.mkdir(parents=True)
    (place / "cpu.cfs_quota_us").write_text(quota + "\n")
    (place / "cpu.cfs_period_us").write_text("100000\n")
    return groups(folder, f"5:memory:/else\n4:cpu,cpuacct:/{group}\n")


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", CORES),
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),  # a worker on half a core would wait for itself
        ("50000 100000\n", 1),
        ("10000 20000\n", 1),
        ("9900000 100000\n", CORES),
        ("", CORES),  # not of this kernel
    ],
)
def test_a_containers_limit_counts_in_cgroup_v2(tmp_path: Path, text: str, cores: int) -> None:
    assert machine.usable_cores(*v2(tmp_path, text)) == cores


@pytest.mark.parametrize(
    ("quota", "cores"), [("-1", CORES), ("300000", 3), ("50000", 1), ("9900000", CORES)]
)
def test_a_containers_limit_counts_in_cgroup_v1(tmp_path: Path, quota: str, cores: int) -> None:
    assert machine.usable_cores(*v1(tmp_path, quota)) == cores


@pytest.mark.parametrize("version", [v1, v2], ids=["v1", "v2"])
def test_the_limit_of_a_group_counts_for_those_within_it(tmp_path: Path, version: Any) -> None:
    """As of a service, or of a container that sees the machine's groups."""
    where = version(tmp_path, "200000" if version is v1 else "200000 100000", "system/box")
    assert machine.usable_cores(*where) == 2
    said = where[1] / "self/cgroup"
    said.write_text(said.read_text().replace("system/box", "system/box/within"))
    assert machine.usable_cores(*where) == 2
    said.write_text(said.read_text().replace("system/box/within", "system/other"))
    assert machine.usable_cores(*where) == CORES


def test_without_a_container_affinity_counts(tmp_path: Path) -> None:
    assert machine.usable_cores(tmp_path) == CORES


def test_where_there_is_no_affinity_the_cores_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert machine.usable_cores(tmp_path) == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.usable_cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("visible", "count"),
    [("", 0), ("-1", 0), ("0", 1), ("0,1", 2), ("GPU-8932f937,GPU-1", 2), (" 3 , 4,", 2)],
)
def test_the_gpus_that_are_visible_count(
    monkeypatch: pytest.MonkeyPatch, visible: str, count: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.gpu_count() == count


def driver(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program called `nvidia-smi` in the path."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_the_driver_is_asked_when_nothing_is_said_of_visibility(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus = "printf 'GPU 0: NVIDIA A10G (UUID: GPU-1)\\nGPU 1: NVIDIA A10G (UUID: GPU-2)\\n'"
    driver(tmp_path, monkeypatch, f'test "$1" = --list-gpus && {gpus}')
    assert machine.gpu_count() == 2
    assert machine.default_workers("auto") == 4
    assert machine.default_workers("cpu") == machine.usable_cores()


@pytest.mark.parametrize(
    ("share", "workers"), [(0.5, 4), (1.0, 2), (0.25, 8), (0.3, 6), (2.0, 2), (0.0, 4)]
)
def test_as_many_workers_run_as_share_the_gpus(
    monkeypatch: pytest.MonkeyPatch, share: float, workers: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert machine.default_workers("auto", share) == workers


def test_a_driver_that_fails_offers_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(tmp_path, monkeypatch, "echo NVIDIA-SMI has failed; exit 9")
    assert machine.gpu_count() == 0


def test_without_a_driver_there_is_a_worker_for_each_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpu_count() == 0
    assert machine.default_workers("auto") == machine.usable_cores() >= 1


def test_the_worker_program_understands_the_arguments_it_is_given() -> None:
    from autolfads_trainer.worker.command import main  # noqa: PLC0415

    arguments = machine.worker_arguments(2, "cpu", 30.0, ["lab.models", "lab.priors"])
    context = main.make_context("worker", ["--run", "/x", "--life", "w", *arguments])
    assert context.params["threads"] == 2
    assert context.params["device"] == "cpu"
    assert context.params["save_every"] == 30.0
    assert context.params["allow_import"] == ("lab.models", "lab.priors")
