"""`autolfads operator`: look after the runs of one namespace. What a Deployment starts."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
from pathlib import Path
from typing import Literal

import click

from autolfads_operator.errors import RunStopped
from autolfads_trainer.userinput import InputError

NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
root_option = click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path("/autolfads/volume"),
    show_default=True,
    help="Where the shared volume is mounted.",
)
NEEDS = ("kopf", "kubernetes", "prometheus_client")


def _namespace() -> str | None:
    try:
        return NAMESPACE_FILE.read_text().strip()
    except OSError:
        return None


def _given(namespace: str | None) -> str:
    """Return the namespace that is meant. Raises `InputError` if none is known."""
    namespace = namespace or _namespace()
    if namespace is None:
        raise InputError("--namespace: missing, and this is no pod; expected the one to look after")
    return namespace


def _refuse_if_missing(command: str) -> None:
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"'{command}' needs {' and '.join(missing).replace('_', '-')}; install with: "
            "pip install 'autolfads[operator]'"
        )


@click.command(context_settings={"auto_envvar_prefix": "AUTOLFADS_OPERATOR"})
@click.option("--namespace", help="The namespace to look after.  [default: the pod's own]")
@root_option
@click.option("--claim", required=True, help="The shared PersistentVolumeClaim, for workers.")
@click.option("--image", required=True, help="The workers' image, unless podTemplate names one.")
@click.option(
    "--cluster",
    help="Which cluster this is, where several share the volume.  [default: the namespace's uid]",
)
@click.option("--identity", help="Name of this operator.  [default: the host's name]")
@click.option(
    "--save-every",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="Seconds between checkpoints within a generation: what a crash can cost.",
)
@click.option(
    "--silent-after",
    type=click.FloatRange(min=10),
    default=300.0,
    show_default=True,
    help="Seconds without a sign after which a worker is taken for dead.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True,
              help="Of /healthz, /readyz and /metrics; 0: none.")  # fmt: skip
@click.option("--uid", type=click.IntRange(min=1), default=10001, show_default=True,
              help="User that workers run as.")  # fmt: skip
@click.option("--gid", type=click.IntRange(min=1), default=10001, show_default=True,
              help="Group that workers run as.")  # fmt: skip
@click.option(
    "--gpu-device",
    type=click.Choice(["cuda", "auto"]),
    default="cuda",
    show_default=True,
    help="Device of workers that ask for a GPU; auto: a CPU where they see none.",
)
@click.option("--gpu-hour-price", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="Of one GPU for an hour: metrics then tell what runs cost.")  # fmt: skip
@click.option("--allow-import", multiple=True, metavar="MODULE",
              help="A module in the workers' image whose classes `_target_` may name.")  # fmt: skip
@click.option("--worker-command", default="python -m autolfads_trainer.worker", show_default=True,
              help="What starts a worker in its image; words are separated by spaces.")  # fmt: skip
@click.option(
    "--log",
    "form",
    envvar="AUTOLFADS_OPERATOR_LOG",  # its own would be that of `form`
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines for people, or JSON objects.",
)
@click.option("--verbose", is_flag=True, help="Log what kopf does, too.")
def operator(
    namespace: str | None,
    root: Path,
    claim: str,
    image: str,
    cluster: str | None,
    identity: str | None,
    save_every: float,
    silent_after: float,
    port: int,
    uid: int,
    gid: int,
    gpu_device: Literal["cuda", "auto"],
    gpu_hour_price: float,
    allow_import: tuple[str, ...],
    worker_command: str,
    form: Literal["text", "json"],
    verbose: bool,
) -> None:
    """Look after the AutoLFADSRuns of a namespace.

    Each option can be given as an environment variable, too: AUTOLFADS_OPERATOR_CLAIM and so on.
    Stopping it stops no run: workers go on with what they have, and it goes on where it was.
    """
    _refuse_if_missing("autolfads operator")
    namespace = _given(namespace)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder (--root); expected the shared volume")
    # Here and not above: kopf alone takes half a second, which no other command needs.
    from autolfads_operator.cluster.client import ApiError  # noqa: PLC0415
    from autolfads_operator.cluster.logs import set_up_logs  # noqa: PLC0415
    from autolfads_operator.cluster.settings import OperatorSettings  # noqa: PLC0415
    from autolfads_operator.handlers import operate, uid_of_namespace  # noqa: PLC0415

    set_up_logs(form, verbose=verbose)
    try:
        settings = OperatorSettings(
            namespace=namespace,
            root=root.resolve(),
            claim=claim,
            image=image,
            cluster=cluster or asyncio.run(uid_of_namespace(namespace)),
            identity=identity or os.environ.get("HOSTNAME") or socket.gethostname(),
            save_every=save_every,
            silent_after=silent_after,
            port=port,
            uid=uid,
            gid=gid,
            gpu_device=gpu_device,
            gpu_hour_price=gpu_hour_price,
            allow_import=allow_import,
            worker_command=tuple(worker_command.split()),
        )
        asyncio.run(operate(settings))
    except ApiError as error:
        raise RunStopped(f"the Kubernetes API: {error}") from None


@click.command(context_settings={"auto_envvar_prefix": "AUTOLFADS_OPERATOR"})
@click.option("--namespace", help="The namespace to look at.  [default: the pod's own]")
@root_option
@click.option("--claim", required=True, help="The shared PersistentVolumeClaim.")
@click.option(
    "--only",
    type=click.Choice(["cluster", "volume"]),
    help="Look at what the API server tells, or at the mounted volume.  [default: both]",
)
def check_installation(namespace: str | None, root: Path, claim: str, only: str | None) -> None:
    """Look whether an operator has all it needs; `helm test` runs this.

    Says what is found, one line each, and exits with 1 if something is wrong.
    """
    _refuse_if_missing("autolfads check-installation")
    namespace = _given(namespace)
    from autolfads_operator.cluster.client import Client  # noqa: PLC0415
    from autolfads_operator.cluster.installation import Result, look_around, volume  # noqa: PLC0415

    async def look() -> int:
        wrong = 0

        def tell(result: Result) -> None:
            nonlocal wrong
            click.echo(f"{result.level:5}  {result.words}")
            wrong += result.level == "WRONG"

        if only != "volume":
            async with Client(namespace) as client:
                async for result in look_around(client, claim):
                    tell(result)
        for result in volume(root) if only != "cluster" else ():
            tell(result)
        return wrong

    if wrong := asyncio.run(look()):
        raise RunStopped(f"{wrong} of these must be mended")
