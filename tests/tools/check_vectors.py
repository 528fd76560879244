"""Compare our model with reference numbers: `python tests/tools/check_vectors.py FILE.npz…`

A file holds `config` (JSON), `in/…`, `state_dict/…` and what a deterministic pass (posterior
means, no dropout, no augmentation) must give: `out/…`, `loss/…`, `metric/…`, `grad/…`; the
gradients are those of the mean element-wise reconstruction loss. For every entry the largest
error relative to the entry's scale is printed. Exit 1 above 1e-4 (gradients: 1e-3), for an entry
that is not known, and for a configuration that is wrong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.penalties import l2_penalty
from autolfads_trainer.model.priors import (
    AutoregressiveMultivariateNormal,
    MultivariateStudentT,
    Prior,
)
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.userinput import InputError

LIMITS = {"out": 1e-4, "loss": 1e-4, "metric": 1e-4, "grad": 1e-3}
Arrays = dict[str, np.ndarray[Any, Any]]


def sizes_of(arrays: Arrays, path: Path) -> DataSizes:
    """Read the sizes of the data off the inputs."""
    encod, recon = arrays["in/encod_data"], arrays["in/recon_data"]
    trials = encod.shape[0]
    ext = arrays.get("in/ext_input", np.zeros((*encod.shape[:2], 0), np.float32))
    return DataSizes(
        path=str(path),
        encod_dim=encod.shape[2],
        encod_steps=encod.shape[1],
        recon_dim=recon.shape[2],
        recon_steps=recon.shape[1],
        ext_input_dim=ext.shape[2],
        train_trials=max(trials, 256),
        valid_trials=trials,
        keys=frozenset(),
    )


def expectations(arrays: Arrays, path: Path) -> dict[str, Callable[[], torch.Tensor]]:
    """Return, by entry, how to compute it with our model."""
    given = json.loads(str(arrays["config"]))
    resolved = resolve({"config": given}, config_file=None, sizes=sizes_of(arrays, path))
    model = LFADS(resolved.configuration["model"])
    tensors = {key: torch.tensor(value) for key, value in arrays.items() if key != "config"}
    model.load_state_dict(_below(tensors, "state_dict/"))
    encod, recon = tensors["in/encod_data"], tensors["in/recon_data"]
    output = model(encod, tensors.get("in/ext_input"))
    nll = model.reconstruction.compute_loss(recon, output.output_params)
    nll.mean().backward()
    scores = Scores(model.sizes, torch.device("cpu"))
    if model.reconstruction.counts:
        scores.add_counts(output.output_params[..., 0].detach(), recon)
    metrics = scores.read()
    names = ("l2_ic_enc_scale", "l2_ci_enc_scale", "l2_gen_scale", "l2_con_scale")
    scales = {name: torch.tensor(float(resolved.configuration["model"][name])) for name in names}

    known: dict[str, Callable[[], torch.Tensor]] = {
        "loss/recon_elementwise": lambda: nll,
        "loss/recon": nll.mean,
        "loss/l2": lambda: l2_penalty(dict(model.named_parameters()), scales),
    }
    known |= _of_prior("ic", model.ic_prior, output.ic_mean, output.ic_std, tensors)
    known |= _of_prior("co", model.co_prior, output.co_means, output.co_stds, tensors)
    penalty = model.reconstruction.compute_l2()
    if penalty is not None:
        known["loss/recon_l2"] = lambda: penalty
    for name in type(output).__dataclass_fields__:
        known[f"out/{name}"] = lambda name=name: getattr(output, name)
    for name, value in metrics.items():
        known[f"metric/{name}"] = lambda value=value: torch.tensor(value)
    for name, parameter in model.named_parameters():
        known[f"grad/{name}"] = lambda parameter=parameter: (
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        )
    return known


def _of_prior(
    of: str, prior: Prior, mean: torch.Tensor, std: torch.Tensor, tensors: dict[str, torch.Tensor]
) -> dict[str, Callable[[], torch.Tensor]]:
    """Return what a prior costs: in closed form, or the density of a given sample."""
    if not isinstance(prior, AutoregressiveMultivariateNormal | MultivariateStudentT):
        return {f"loss/kl_{of}": lambda: prior.kl(mean, std)}

    def log_prob() -> torch.Tensor:
        sample = tensors[f"in/{of}_sample"]
        return prior.log_prob(sample.transpose(0, 1) if sample.dim() == 3 else sample)

    return {f"loss/{of}_prior_log_prob": log_prob}


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def error_of(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest error relative to the entry's scale; infinite for another shape."""
    if found.shape != expected.shape:
        return float("inf")
    nothing = found.isnan() & expected.isnan()  # such as co_bps where no channel is held out
    found, expected = found[~nothing], expected[~nothing]
    if expected.numel() == 0:
        return 0.0
    scale = float(expected.abs().max()) or 1.0
    difference = (found.detach().double() - expected.double()).abs().max()
    return float(difference) / scale if torch.isfinite(difference) else float("inf")


def check(path: Path) -> bool:
    """Print one line for every entry of `path`; return whether all hold."""
    with np.load(path, allow_pickle=False) as file:
        arrays: Arrays = {key: file[key] for key in file.files}
    print(path)
    try:
        known = expectations(arrays, path)
    except InputError as error:
        print(f"  {error}")
        return False
    except (LookupError, ValueError, RuntimeError) as error:  # the file is not of this form
        print(f"  {type(error).__name__}: {error}")
        return False
    good = True
    for key, value in arrays.items():
        kind = key.split("/")[0]
        if kind not in LIMITS:
            continue
        if key not in known:
            print(f"  not known: {key}")
            good = False
            continue
        error = error_of(known[key](), torch.tensor(value))
        verdict = "ok" if error <= LIMITS[kind] else f"WRONG (at most {LIMITS[kind]:g})"
        good = good and error <= LIMITS[kind]
        print(f"  {key:55s} {error:9.2e}  {verdict}")
    return good


def main(paths: list[str]) -> int:
    """Check every file; return the exit code."""
    if not paths:
        print(__doc__)
        return 2
    results = [check(Path(path)) for path in paths]  # every file is shown, also after a wrong one
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
