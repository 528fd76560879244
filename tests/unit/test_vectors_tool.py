"""`tests/tools/check_vectors.py`, run as its users run it, on a file made from our own model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import NO_CONTROLLER, OTHERS, model_settings, randomised, split_of

from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.penalties import l2_penalty
from autolfads_trainer.model.priors import AutoregressiveMultivariateNormal
from autolfads_trainer.training.scores import Scores

TOOL = Path(__file__).parents[1] / "tools" / "check_vectors.py"
DIMS = {"encod_data_dim": 3, "encod_seq_len": 6, "recon_seq_len": 8, "recon_data_dim": 5}
PLAIN = {"ext_input_dim": 0}
# What needs other data, or makes no difference to a pass without augmentation.
NOT_OF_ONE_PASS = (
    *("Gamma", "sum over a trial", "jitter", "shift", "missing data", "sample validation"),
    *("all of them", "sessions", "two sessions and all of them"),
)
LINEAR = {"_target_": "torch.nn.Linear", "out_features": 4}
CASES: dict[str, dict[str, Any]] = {
    "linear read-in": {"readin": [LINEAR]},
    "controller": {"l2_gen_scale": 0.3, "l2_con_scale": 0.2},
    "no_controller": NO_CONTROLLER | {"ext_input_dim": 1, "l2_gen_scale": 0.3},
    "external_input_and_own_steps": {"ext_input_dim": 2, "ic_enc_seq_len": 2},
    **{name: OTHERS[name] for name in OTHERS if name not in NOT_OF_ONE_PASS},
}
Arrays = dict[str, Any]


def example(**case: Any) -> Arrays:
    """Return a whole file: everything that the tool knows how to compute."""
    settings = model_settings(**case)
    model = randomised(LFADS(settings))
    batch = split_of(4, DIMS | PLAIN | {k: v for k, v in case.items() if k in PLAIN}, seed=1)
    output = model(batch.encod, batch.ext_input)
    of = model.reconstruction
    nll = of.compute_loss(batch.recon, output.output_params)
    nll.mean().backward()
    sample = torch.randn(4, 8, model.sizes.co_dim, generator=torch.Generator().manual_seed(1))
    scores = Scores(model.sizes, torch.device("cpu"))
    if of.counts:
        scores.add_counts(output.output_params[..., 0].detach(), batch.recon)
    l2_scales = {k: torch.tensor(v) for k, v in settings.items() if k.startswith("l2_")}
    tensors = {
        "in/encod_data": batch.encod,
        "in/recon_data": batch.recon,
        "in/ext_input": batch.ext_input,
        "in/co_sample": sample,
        **{f"out/{name}": value for name, value in vars(output).items()},
        "loss/recon_elementwise": nll,
        "loss/recon": nll.mean(),
        "loss/l2": l2_penalty(dict(model.named_parameters()), l2_scales),
    }
    ic_sample = torch.randn(4, model.sizes.ic_dim, generator=torch.Generator().manual_seed(2))
    tensors["in/ic_sample"] = ic_sample
    if model.sizes.ic_df:
        tensors["loss/ic_prior_log_prob"] = model.ic_prior.log_prob(ic_sample)
    else:
        tensors["loss/kl_ic"] = model.ic_prior.kl(output.ic_mean, output.ic_std)
    if isinstance(model.co_prior, AutoregressiveMultivariateNormal) or model.sizes.co_df:
        tensors["loss/co_prior_log_prob"] = model.co_prior.log_prob(sample.transpose(0, 1))
    else:
        tensors["loss/kl_co"] = model.co_prior.kl(output.co_means, output.co_stds)
    if (penalty := of.compute_l2()) is not None:
        tensors["loss/recon_l2"] = penalty
    metrics = {name: value for name, value in scores.read().items() if name != "r2"}
    tensors |= {f"metric/{name}": torch.tensor(value) for name, value in metrics.items()}
    for name, parameter in model.named_parameters():
        tensors[f"state_dict/{name}"] = parameter
        if parameter.grad is not None:
            tensors[f"grad/{name}"] = parameter.grad
    arrays: Arrays = {name: value.detach().numpy() for name, value in tensors.items()}
    return arrays | {"config": json.dumps({"model": settings})}


def changed(arrays: Arrays, name: str, share: float) -> Arrays:
    """Return the file with one element of one entry off by a share of the entry's scale."""
    other = arrays[name].copy()
    other.reshape(-1)[-1] += share * abs(other).max()
    return arrays | {name: other}


def without(arrays: Arrays, **model: Any) -> Arrays:
    """Return the file with other settings of the model."""
    config = json.loads(arrays["config"])
    config["model"] |= model
    return arrays | {"config": json.dumps(config)}


def check(*files: Path) -> tuple[int, list[str]]:
    """Run the tool; return its exit code and its lines."""
    command = [sys.executable, str(TOOL), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def written(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)
    return path


def line_of(lines: list[str], name: str) -> str:
    (line,) = [line for line in lines if f" {name} " in f"{line} "]
    return line


def test_files_that_hold_are_shown_entry_by_entry(tmp_path: Path) -> None:
    examples = {name: example(**case) for name, case in CASES.items()}
    paths = [written(tmp_path / f"{name}.npz", arrays) for name, arrays in examples.items()]
    code, lines = check(*paths)
    assert code == 0
    start = 0
    for path, arrays in zip(paths, examples.values(), strict=True):
        entries = [n for n in arrays if n.split("/")[0] in ("out", "loss", "metric", "grad")]
        assert len(entries) > 30
        assert lines[start] == str(path)
        shown = lines[start + 1 : start + 1 + len(entries)]
        assert [line.split()[0] for line in shown] == entries
        assert all(line.endswith("ok") and 0 <= float(line.split()[1]) < 1e-5 for line in shown)
        start += 1 + len(entries)
    assert len(lines) == start


@pytest.fixture(scope="module")
def tool() -> Any:
    """The tool as a module: the same code, without a new interpreter for every case."""
    import importlib.util  # noqa: PLC0415

    spec = importlib.util.spec_from_file_location("check_vectors", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    return example(**CASES["controller"])


def said(tool: Any, capsys: Any, path: Path, content: Arrays) -> tuple[int, list[str]]:
    code = tool.main([str(written(path / "file.npz", content))])
    return code, capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("name", "share", "code"),
    [
        ("out/factors", 2e-4, 1),
        ("out/factors", 5e-5, 0),
        ("out/ic_std", 2e-4, 1),
        ("loss/kl_ic", 2e-4, 1),
        ("loss/recon_elementwise", 2e-4, 1),
        ("metric/co_bps", 2e-4, 1),
        ("grad/readout.0.weight", 2e-3, 1),
        ("grad/readout.0.weight", 5e-4, 0),
        ("out/output_params", float("nan"), 1),
        ("out/output_params", float("inf"), 1),
    ],
)
def test_an_entry_off_by_more_than_its_limit_is_wrong(
    tool: Any, capsys: Any, tmp_path: Path, arrays: Arrays, name: str, share: float, code: int
) -> None:
    found, lines = said(tool, capsys, tmp_path, changed(arrays, name, share))
    assert found == code
    limit = "0.001" if name.startswith("grad") else "0.0001"
    verdict = f"WRONG (at most {limit})" if code else "ok"
    assert line_of(lines, name).endswith(verdict)
    assert sum("WRONG" in line for line in lines) == code


def test_an_entry_of_another_shape_is_wrong_also_when_empty(
    tool: Any, capsys: Any, tmp_path: Path, arrays: Arrays
) -> None:
    other = arrays | {"out/ic_mean": arrays["out/ic_mean"][:, :0]}
    code, lines = said(tool, capsys, tmp_path, other)
    assert code == 1
    assert "WRONG" in line_of(lines, "out/ic_mean")


@pytest.mark.parametrize("name", ["out/con_inputs", "loss/kl_co", "metric/fp_r2", "grad/readin.0"])
def test_an_entry_that_is_not_known_is_not_supported(
    tool: Any, capsys: Any, tmp_path: Path, arrays: Arrays, name: str
) -> None:
    code, lines = said(tool, capsys, tmp_path, arrays | {name: np.zeros(3)})
    assert code == 1
    assert f"  not known: {name}" in lines
    assert all(line.endswith("ok") for line in lines[1:] if name not in line)


def test_a_configuration_that_is_refused_says_which_setting(
    tool: Any, capsys: Any, tmp_path: Path, arrays: Arrays
) -> None:
    code, lines = said(tool, capsys, tmp_path, without(arrays, variational=False))
    assert code == 1
    assert len(lines) == 2
    assert "since model.variational is false" in lines[1]


def test_other_weights_are_wrong(tool: Any, capsys: Any, tmp_path: Path, arrays: Arrays) -> None:
    other = changed(arrays, "state_dict/decoder.rnn.cell.con_cell.weight_hh", 0.5)
    code, lines = said(tool, capsys, tmp_path, other)
    assert code == 1
    assert "WRONG" in line_of(lines, "out/co_means")
    assert line_of(lines, "out/ic_mean").endswith("ok")


def test_every_file_is_shown_and_one_that_is_wrong_decides(
    tool: Any, capsys: Any, tmp_path: Path, arrays: Arrays
) -> None:
    bad = written(tmp_path / "bad.npz", changed(arrays, "out/factors", 1.0))
    good = written(tmp_path / "good.npz", arrays)
    assert tool.main([str(bad), str(good)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert str(bad) in lines
    assert str(good) in lines


def test_without_a_file_it_says_how_it_is_used(tool: Any, capsys: Any) -> None:
    assert tool.main([]) == 2
    assert "check_vectors.py FILE" in capsys.readouterr().out
