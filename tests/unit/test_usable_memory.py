"""How much memory a process may still take: the smallest of all limits."""

from __future__ import annotations

from autolfads_trainer.data import memory


def test_the_smallest_limit_counts(tmp_path):
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    for folder in (proc / "self", cgroups / "pod/box", cgroups / "memory"):
        folder.mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    8000 kB\n")
    assert memory.usable_memory(proc, cgroups) == 8000 * 1024

    (proc / "self/cgroup").write_text("4:cpu,memory:/not/mounted/here\n0::/pod/box\n")
    for name, limit, used in (("pod", "5000000", 1_000_000), ("pod/box", "max", 7)):
        (cgroups / name / "memory.max").write_text(f"{limit}\n")
        (cgroups / name / "memory.current").write_text(f"{used}\n")
    assert memory.usable_memory(proc, cgroups) == 4_000_000

    (cgroups / "pod/memory.stat").write_text("active_file 7\ninactive_file 250000\n")
    assert memory.usable_memory(proc, cgroups) == 4_250_000

    (cgroups / "memory/memory.limit_in_bytes").write_text("3000000")
    (cgroups / "memory/memory.usage_in_bytes").write_text("1000000")
    (cgroups / "memory/memory.stat").write_text("inactive_file 3\ntotal_inactive_file 500\n")
    assert memory.usable_memory(proc, cgroups) == 2_000_500

    (cgroups / "memory/memory.usage_in_bytes").write_text("9000000")
    assert memory.usable_memory(proc, cgroups) == 0


def test_a_machine_that_tells_nothing_has_what_is_installed(tmp_path):
    assert memory.usable_memory(tmp_path, tmp_path) >= memory.usable_memory() > 2**20
