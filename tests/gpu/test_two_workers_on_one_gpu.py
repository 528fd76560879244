"""Two workers share a GPU: each keeps to its share of the memory, and says where it sees none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from autolfads_trainer.patience import Patience
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks.context import Context


def context(root: Path, device: str, share: float) -> Context:
    return Context(
        folder=RunFolder(root),
        device=device,
        save_every=300.0,
        allow_import=(),
        say=lambda _: None,
        announce=lambda _: None,
        must_leave=lambda: False,
        patience=Patience(say=lambda _: None, stop=lambda: None),
        gpu_share=share,
    )


@pytest.mark.parametrize("name", ["cuda", "auto"])
def test_a_worker_keeps_to_its_share_of_the_memory(tmp_path: Path, name: str) -> None:
    device = context(tmp_path, name, 0.25).torch_device()
    try:
        whole = torch.cuda.get_device_properties(device).total_memory
        torch.empty(int(0.2 * whole), dtype=torch.uint8, device=device)
        torch.cuda.empty_cache()
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(int(0.3 * whole), dtype=torch.uint8, device=device)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_worker_that_is_to_train_on_a_gpu_and_sees_none_says_so() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from test_two_workers_on_one_gpu import context\n"
        "context(Path('.'), 'cuda', 0.5).torch_device()"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, here],
        env={"CUDA_VISIBLE_DEVICES": "", "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "InputError: this worker sees no GPU" in done.stderr
