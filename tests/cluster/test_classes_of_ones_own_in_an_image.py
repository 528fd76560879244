"""A class of the user's own comes with the workers' image, and the operator has to allow it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import installation
import pytest
from kube.cluster import Cluster
from kube.images import write_machine_with
from lab import Lab, install
from markdown_documents import document

IMAGE = "localhost/my-lab:1"
EXAMPLE = document("docs/configuration.md").section("Classes of your own").blocks("python")[0]


@pytest.fixture(scope="module")
def image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    archive = tmp_path_factory.mktemp("my-lab") / "image.tar"
    cluster.nodes["node1"].load(write_machine_with(IMAGE, {"my_lab": EXAMPLE}, archive))


@pytest.fixture(scope="module")
def allowing(
    cluster: Cluster, image: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    volume = installation.make_volume(tmp_path_factory.mktemp("allowing") / "volume")
    lab = install(cluster, volume, "allowing", AUTOLFADS_OPERATOR_ALLOW_IMPORT="my_lab")
    lab.wait_for_operator()
    yield lab
    lab.kubectl("delete", "deployment", "--all")  # the node's processors are for others, too


def spec(image: str = IMAGE) -> dict[str, Any]:
    model = {"reconstruction": [{"_target_": "my_lab.NegativeBinomial"}]}
    return {
        "config": {"model": model},
        "population": 2,
        "pbt": {"maxEpochs": 8},
        "workers": {"count": 2, "podTemplate": {"image": image}},
    }


def test_a_run_is_trained_with_it(allowing: Lab) -> None:
    run = allowing.run("counts", **spec())
    run.wait_for("Succeeded", seconds=240)
    assert run.generation() == 2
    assert (run.folder / "results" / "autolfads.zip").exists()


def test_an_image_without_it_is_told(allowing: Lab) -> None:
    run = allowing.run("without", **spec(installation.MACHINE_IMAGE))
    message = run.wait_for("DataReady", "False", "InputRefused", 60)
    assert "my_lab.NegativeBinomial: cannot be imported: No module named 'my_lab'" in message
    assert "on a cluster it comes with the image" in message


def test_it_is_not_imported_where_the_operator_does_not_allow_it(lab: Lab, image: None) -> None:
    run = lab.run("unasked", **spec())
    message = run.wait_for("DataReady", "False", "InputRefused", 60)
    assert "unknown class 'my_lab.NegativeBinomial'" in message
    assert "allowed by --allow-import my_lab" in message
    run.delete()
