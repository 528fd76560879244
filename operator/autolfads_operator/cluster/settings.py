"""The operator's settings: by flag, or by the environment variable of the same name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OperatorSettings:
    """How one operator looks after one namespace.

    Attributes:
        namespace: the namespace that it looks after, and where its Lease is.
        root: where the shared volume is mounted in this process.
        claim: the name of the PersistentVolumeClaim that workers mount.
        image: the workers' image, unless a run's podTemplate names another.
        cluster: which cluster this is, as noted in folders of runs: several may share a volume.
        identity: this operator, as others see it.
        save_every: seconds between checkpoints within a generation.
        silent_after: seconds without a sign after which a worker is taken for dead.
        port: of the probes; 0: none.
        uid, gid: whom pods run as: the owner of the volume's files.
        gpu_device: the device of workers that ask for a GPU; `auto` lets them train without.
        gpu_hour_price: of one GPU for an hour, to estimate what runs cost.
        allow_import: modules in the workers' image whose classes configurations may name.
        worker_command: what starts a worker in its image.
    """

    namespace: str
    root: Path
    claim: str
    image: str
    cluster: str
    identity: str
    save_every: float = 300.0
    silent_after: float = 300.0
    port: int = 8080
    uid: int = 10001
    gid: int = 10001
    gpu_device: str = "cuda"
    gpu_hour_price: float = 0.0
    allow_import: tuple[str, ...] = ()
    worker_command: tuple[str, ...] = ("python", "-m", "autolfads_trainer.worker")
