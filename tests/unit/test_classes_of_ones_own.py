"""A user's own reconstruction, prior and augmentation, the example of the documents among them."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from configuration_examples import SIZES
from markdown_documents import document
from small_models import CD, never, same, small_member, stack, weights

from autolfads_trainer import own_classes
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.own_classes import is_allowed
from autolfads_trainer.training.checkpoint import save_file
from autolfads_trainer.training.member import Member
from autolfads_trainer.training.step import Reference
from autolfads_trainer.userinput import InputError

EXAMPLE = document("docs/configuration.md").section("Classes of your own").blocks("python")[0]
MORE = """
import time

class Laplace(torch.nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def make_posterior(self, mean, std):
        return torch.distributions.Laplace(mean, std)

    def forward(self, mean, std):
        prior = torch.distributions.Laplace(torch.zeros_like(mean), self.scale)
        posterior = self.make_posterior(mean, std)
        return torch.distributions.kl_divergence(posterior, prior).sum(dim=-1).mean()


class DropChannels:
    def __init__(self, rate):
        self.rate, self.seen = rate, []

    def process_batch(self, batch):
        self.seen.append(tuple(batch.encod_data.shape))
        kept = torch.rand(len(batch.encod_data), 1, batch.encod_data.shape[2]) >= self.rate
        return batch._replace(encod_data=batch.encod_data * kept)


class Dawdles(DropChannels):
    def process_batch(self, batch):
        time.sleep(0.002)
        return super().process_batch(batch)


class Halved:
    def process_losses(self, losses, batch, log_fn, split):
        log_fn(split, losses.mean())
        assert losses.shape == batch.recon_data.shape
        return losses / 2


class InPlace:
    def process_batch(self, batch):
        for each in batch:
            each.mul_(0.5)
        return batch


class View:
    def process_batch(self, batch):
        steps, channels = batch.encod_data.shape[1:]
        return batch._replace(encod_data=batch.recon_data[:, :steps, :channels])


class Copied(View):
    def process_batch(self, batch):
        return [each.clone() for each in super().process_batch(batch)]


class Both:
    def __init__(self):
        self.calls = []

    def process_batch(self, batch):
        self.calls.append("batch")
        return batch

    def process_losses(self, losses, batch, log_fn, split):
        self.calls.append(float((batch.encod_data == 0).float().mean()))
        return losses


class Gives:
    def __init__(self, what):
        self.what = what

    def process_batch(self, batch):
        return {
            "nothing": None,
            "two": batch[:2],
            "fewer bins": batch._replace(encod_data=batch.encod_data[:, 1:]),
            "double": batch._replace(encod_data=batch.encod_data.double()),
        }[self.what]


class LossesOf:
    def __init__(self, shape):
        self.shape = shape

    def process_losses(self, losses, batch, log_fn, split):
        return losses[:, : self.shape] if self.shape else losses.mean()


class Clamping(NegativeBinomial):
    def compute_loss(self, data, output_params):
        return super().compute_loss(data.mul_(2), output_params)


class Inherits(torch.nn.Identity):
    n_params = 1


class Nothing:
    pass


class NoMeans(NegativeBinomial):
    compute_means = None


class Summed(NegativeBinomial):
    def compute_loss(self, data, output_params):
        return super().compute_loss(data, output_params).sum()


class Broken(NegativeBinomial):
    def compute_means(self, output_params):
        return {}["x"]


class Matrix(Laplace):
    def forward(self, mean, std):
        return mean


class Detached(NegativeBinomial):
    def compute_loss(self, data, output_params):
        return super().compute_loss(data, output_params).detach()


class OfNumPy(NegativeBinomial):
    def compute_loss(self, data, output_params):
        return super().compute_loss(data, output_params).detach().numpy()


class OddSignature(NegativeBinomial):
    def compute_loss(self, data):
        return data
"""


@pytest.fixture(autouse=True, scope="module")
def my_lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("lab")
    (folder / "my_lab.py").write_text(EXAMPLE + MORE)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))
    sys.modules.pop("my_lab", None)


def member(**settings: Any) -> Member:
    return small_member(allow_import=["my_lab"], **settings)


OWN_STACK = {
    "transforms": [{"_target_": "my_lab.DropChannels", "rate": 0.3}, stack(CD)["transforms"][0]],
    "batch_order": [0, 1],
    "loss_order": [1],
}
CASES: dict[str, dict[str, Any]] = {
    "reconstruction": {"reconstruction": [{"_target_": "my_lab.NegativeBinomial"}]},
    "prior of the initial condition": {"ic_prior": {"_target_": "my_lab.Laplace", "scale": 0.3}},
    "prior of the control": {"co_prior": {"_target_": "my_lab.Laplace", "scale": 0.3}},
    "augmentation": {"train_aug_stack": OWN_STACK},
}


def test_the_example_has_about_ten_lines() -> None:
    lines = [line for line in EXAMPLE.splitlines() if line.strip() and "import" not in line]
    assert len(lines) <= 12


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_member_trains_with_it_by_the_reference_and_can_be_repeated(case: dict[str, Any]) -> None:
    rows = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        one = member(epochs=3, lr_init=1e-2, **case)
        assert isinstance(one.way, Reference)
        one.train(never)
        assert torch.equal(torch.get_rng_state(), before)
        rows.append(one.progress.rows)
    assert same(*rows)
    assert rows[0][-1]["train/recon"] < rows[0][0]["train/recon"]


def test_an_own_augmentation_sees_batches_as_the_existing_pipeline_gives_them() -> None:
    one = member(epochs=1, **CASES["augmentation"])
    one.train(never)
    seen = one.train_stack.transforms[0].own.seen  # type: ignore[attr-defined]
    assert set(seen) == {(3, 6, 3)}


def only(name: str, *more: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Return a stack of a class of one's own and others, in this order for batches and losses."""
    transforms = [{"_target_": f"my_lab.{name}", **arguments}, *more]
    order = list(range(len(transforms)))
    return {"transforms": transforms, "batch_order": order, "loss_order": order}


@pytest.mark.parametrize(
    "changes",
    [
        {"infer_aug_stack": only("InPlace")},
        {"reconstruction": [{"_target_": "my_lab.Clamping"}]},
    ],
    ids=["augmentation", "reconstruction"],
)
def test_it_may_work_in_place_and_changes_nothing_that_others_read(changes: dict[str, Any]) -> None:
    one = member(**changes)
    before = {
        name: value.clone() for name, value in vars(one.data.valid).items() if value is not None
    }
    first = one.validated()
    assert same(one.validated(), first)
    assert same({name: getattr(one.data.valid, name) for name in before}, before)


def test_what_comes_back_may_be_part_of_what_is_to_be_reconstructed() -> None:
    """Coordinated dropout after it works in place."""
    dropout = stack(CD)["transforms"][0]
    losses = []
    for name in ("View", "Copied"):
        one = member(train_aug_stack=only(name, dropout))
        losses.append(one.way.training_loss(one.model, one.train_stack, one.drawer.draw(), one.hp))
    assert torch.equal(losses[0].total, losses[1].total)


def test_what_changes_losses_alone_is_not_asked_to_change_the_batch() -> None:
    """And gets the batch as all of the stack has left it."""
    both = only("Both", stack(CD)["transforms"][0])
    for order, called in (([1], 0), ([0, 1], 1)):
        one = member(train_aug_stack={**both, "batch_order": order}, cd={"cd_rate": 0.9})
        one.take_step()
        calls = one.train_stack.transforms[0].own.calls
        assert calls[:-1] == ["batch"] * called
        assert calls[-1] > 0.8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (only("Gives", what="nothing"), "my_lab.Gives.process_batch(): returned a NoneType; expected the batch, changed: a tuple of encod_data, recon_data"),  # noqa: E501
        (only("Gives", what="two"), "my_lab.Gives.process_batch(): returned a tuple of 2; expected the batch, changed"),  # noqa: E501
        (only("Gives", what="fewer bins"), "my_lab.Gives.process_batch(): returned a tensor of the shape (3, 5, 3) as encod_data; expected the shape (3, 6, 3)"),  # noqa: E501
        (only("LossesOf", shape=2), "my_lab.LossesOf.process_losses(): returned a tensor of the shape (3, 2, 5); expected the losses, changed, of the shape (3, 8, 5)"),  # noqa: E501
        (only("LossesOf", shape=0), "my_lab.LossesOf.process_losses(): returned a tensor of the shape (); expected the losses"),  # noqa: E501
    ],
)  # fmt: skip
def test_what_an_augmentation_may_not_give_is_told(given: dict[str, Any], message: str) -> None:
    one = member(train_aug_stack=given)
    with pytest.raises(InputError) as caught:
        one.take_step()
    assert str(caught.value).startswith(message)


def test_other_types_of_number_are_taken() -> None:
    member(train_aug_stack=only("Gives", what="double")).take_step()


def test_members_in_several_threads_draw_as_they_do_one_after_another() -> None:
    def trained(number: int) -> dict[str, torch.Tensor]:
        stack_of_own = only("Dawdles", rate=0.3)
        one = small_member(number, allow_import=["my_lab"], train_aug_stack=stack_of_own)
        one.train(never)
        return weights(one.model)

    expected = [trained(number) for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(trained, range(3)))
    assert same(found, expected)


def test_an_error_is_placed_where_a_class_of_ones_own_is_at_work() -> None:
    """In a method that it inherits from a module that nobody allowed, too."""
    own_classes.allow(["my_lab"])
    inherits = own_classes.made({"_target_": "my_lab.Inherits"})
    with pytest.raises(TypeError) as caught:
        inherits(1, 2, 3)
    place = own_classes.place_in_own(caught.value)
    assert place is not None
    assert place.startswith("my_lab.Inherits: torch.nn.modules.module.Module._call_impl(), line ")
    with pytest.raises(ZeroDivisionError) as other:
        1 / 0  # noqa: B018
    assert own_classes.place_in_own(other.value) is None


def test_what_it_does_to_losses_counts() -> None:
    halved = {
        "transforms": [{"_target_": "my_lab.Halved"}],
        "batch_order": [],
        "loss_order": [0],
    }
    usual = small_member(train_aug_stack=stack(), trainer={"engine": "reference"})
    one = member(train_aug_stack=halved)
    losses = [
        each.way.training_loss(each.model, each.train_stack, each.drawer.draw(), each.hp)
        for each in (usual, one)
    ]
    assert float(losses[1].parts["recon"]) == pytest.approx(float(losses[0].parts["recon"]) / 2)


def test_a_checkpoint_that_names_a_class_imports_nothing_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "not_asked_for.py").write_text(EXAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    one = member(**CASES["reconstruction"])
    one.configuration["model"]["reconstruction"][0]["_target_"] = "not_asked_for.NegativeBinomial"
    content = {"configuration": one.configuration, "state_dict": one.model.state_dict()}
    save_file(tmp_path / "model.ckpt", content)
    with pytest.raises(InputError) as caught:
        LFADS.load_from_checkpoint(tmp_path / "model.ckpt")
    assert str(caught.value) == (
        f"{tmp_path / 'model.ckpt'}: not_asked_for.NegativeBinomial: is not allowed here; expected"
        " a class of autolfads_trainer, or --allow-import not_asked_for (in Python: allow_import)"
    )
    assert "not_asked_for" not in sys.modules
    allowed = LFADS.load_from_checkpoint(tmp_path / "model.ckpt", allow_import=["not_asked_for"])
    assert type(allowed.reconstructions[0]).__module__ == "not_asked_for"


def test_what_is_allowed_is_a_module_and_those_below_it() -> None:
    allowed = ["my_lab", "yours.models"]
    for target in ("my_lab.A", "my_lab.below.A", "yours.models.A"):
        assert is_allowed(target, allowed)
    for target in ("my_laboratory.A", "my_lab", "yours.A", "yours.models_of_others.A", "A", ""):
        assert not is_allowed(target, allowed)


def test_a_model_with_it_is_loaded_and_infers(tmp_path: Path) -> None:
    one = member(**CASES["reconstruction"])
    content = {"configuration": one.configuration, "state_dict": one.model.state_dict()}
    save_file(tmp_path / "model.ckpt", content)
    again = LFADS.load_from_checkpoint(tmp_path / "model.ckpt")
    encod = one.data.valid.encod.numpy()
    rates = [model.infer(encod, samples=3)["output_params"] for model in (one.model, again)]
    assert (rates[0] == rates[1]).all()
    assert rates[0].shape == (4, 8, 5)
    assert (rates[0] > 0).all()


def error_of(model: dict[str, Any], *allow: str) -> str:
    with pytest.raises(InputError) as caught:
        resolve({"config": {"model": model}}, config_file=None, sizes=SIZES, allow_import=allow)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Nothing", "my_lab.Nothing has no reshape_output_params(); expected reshape_output_params(), compute_loss(), compute_means() of a reconstruction"),  # noqa: E501
        ("NoMeans", "my_lab.NoMeans has no compute_means(); expected"),
        ("OddSignature", "my_lab.OddSignature.compute_loss() is called with 2 arguments; its signature is (data)"),  # noqa: E501
        ("Summed", "my_lab.Summed.compute_loss(): gives the shape (); expected (2, 3, 15)"),
        ("Broken", "my_lab.Broken.compute_means(): fails on a few numbers: KeyError: 'x'"),
        ("Detached", "my_lab.Detached.compute_loss(): gives losses without a gradient; expected"),
        ("OfNumPy", "my_lab.OfNumPy.compute_loss(): gives a ndarray; expected a tensor"),
        ("Absent", "my_lab.Absent: the module 'my_lab' has no class 'Absent'"),
        ("torch", "my_lab.torch: is a module; expected a class"),
    ],
)  # fmt: skip
def test_what_a_class_lacks_is_told(name: str, message: str) -> None:
    found = error_of({"reconstruction": [{"_target_": f"my_lab.{name}"}]}, "my_lab")
    assert found.startswith(f"spec.config: model.reconstruction.0: {message}")


def test_wrong_arguments_and_a_missing_module_are_told() -> None:
    odd = {"_target_": "my_lab.Laplace", "scales": 3}
    assert error_of({"ic_prior": odd}, "my_lab").startswith(
        "spec.config: model.ic_prior: my_lab.Laplace: cannot be made with the arguments given"
        " (scales): TypeError:"
    )
    matrix = {"_target_": "my_lab.Matrix", "scale": 1}
    assert error_of({"ic_prior": matrix}, "my_lab").startswith(
        "spec.config: model.ic_prior: my_lab.Matrix.forward(): gives the shape"
    )
    nowhere = {"_target_": "no_lab.Laplace"}
    assert error_of({"ic_prior": nowhere}, "no_lab").startswith(
        "spec.config: model.ic_prior: no_lab.Laplace: cannot be imported: No module named 'no_lab'"
    )


def test_an_augmentation_of_no_use_is_told() -> None:
    odd = {"transforms": [{"_target_": "my_lab.Nothing"}], "batch_order": [0], "loss_order": []}
    assert error_of({"train_aug_stack": odd}, "my_lab") == (
        "spec.config: model.train_aug_stack.transforms.0: my_lab.Nothing has neither process_batch"
        " nor process_losses; expected a method of one of these names, as an augmentation has"
    )


def test_a_class_of_ones_own_is_noted_and_goes_only_where_it_may() -> None:
    spec = {"config": {"model": CASES["reconstruction"]}}
    found = resolve(spec, config_file=None, sizes=SIZES, allow_import=["my_lab"])
    assert any(note.startswith("my_lab.NegativeBinomial: is a class of") for note in found.notes)
    assert error_of({"readin": [{"_target_": "my_lab.Laplace"}]}, "my_lab").startswith(
        "spec.config: model.readin.0._target_: found my_lab.Laplace, a class of one's own; expected"
    )
