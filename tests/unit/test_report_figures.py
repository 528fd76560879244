from __future__ import annotations

import math

import numpy as np
import pytest
from report_history import examples, falling, family, leg

from autolfads_trainer.results.history import History
from autolfads_trainer.results.report.curves import generation_starts, population_curves
from autolfads_trainer.results.report.drawing import inline_svg, new_figure, robust_limits, style
from autolfads_trainer.results.report.examples import TrialExamples
from autolfads_trainer.results.report.hyperparameters import (
    constant,
    hyperparameter_paths,
    short_names,
    tuned,
)
from autolfads_trainer.results.report.images import trial_images
from autolfads_trainer.results.report.traces import lively


@pytest.mark.parametrize("wild", [1e6, -1e6, math.inf, math.nan])
def test_a_member_that_blew_up_does_not_decide_the_axis(wild):
    calm = np.linspace(0.4, 0.6, 100)
    low, high = robust_limits([*calm, *[wild] * 20], calm)

    assert 0.3 < low < 0.41
    assert 0.59 < high < 0.7


def test_axis_limits_exist_without_any_finite_value():
    assert robust_limits([math.nan], []) == (0.0, 1.0)


def test_axis_limits_of_one_value_enclose_it():
    low, high = robust_limits([0.5, 0.5], [0.5])

    assert low < 0.5 < high


def test_the_best_lineage_is_drawn_along_all_its_epochs():
    with style():
        figure = population_curves(family())

    for axes in figure.axes[:2]:
        epochs = axes.lines[1].get_xdata()
        assert epochs.tolist() == list(range(30))
        low, high = axes.get_ylim()
        assert low < falling(29)[0] < high


def test_a_copy_branches_off_the_end_of_its_winner():
    with style():
        figure = population_curves(family())

    lines = figure.axes[0].lines[0].get_xydata()
    starts = lines[1:][np.isnan(lines[:-1, 0])]
    assert (starts == (9.0, falling(9)[0])).all(axis=1).sum() == 3  # the legs of generation 2


def test_generations_that_began_together_are_marked_at_their_first_epoch():
    assert generation_starts(family()) == {2: 10, 3: 20}


def test_generations_that_began_apart_are_marked_by_the_best_lineage():
    late = leg(1, 2, (1, 1))
    legs = (
        leg(0, 1),
        leg(1, 1),
        leg(0, 2, (0, 1)),
        type(late)(**{**vars(late), "start_epoch": 13}),
    )

    assert generation_starts(History("apart", 0, legs, (0, 2))) == {2: 10}


def test_only_hyperparameters_that_differ_are_drawn():
    legs = (
        leg(0, 1, hyperparameters={"model.a": 1.0, "model.b": 2.0}),
        leg(0, 2, (0, 1), hyperparameters={"model.a": 1.5, "model.b": 2.0}),
    )
    history = History("two", 0, legs, (0, 2))

    assert tuned(history) == ["model.a"]
    assert constant(history) == {"model.b": 2.0}


@pytest.mark.parametrize(("later", "scale"), [(0.05, "log"), (0.005, "linear")])
def test_an_axis_is_logarithmic_where_values_span_more_than_a_decade(later, scale):
    legs = (
        leg(0, 1, hyperparameters={"a": 0.001}),
        leg(0, 2, (0, 1), hyperparameters={"a": later}),
    )
    with style():
        figure = hyperparameter_paths(History("span", 0, legs, (0, 2)))

    assert figure.axes[0].get_yscale() == scale
    low, high = figure.axes[0].get_ylim()
    assert low < 0.001 < later < high


def test_names_are_as_long_as_it_takes_to_tell_them_apart():
    assert short_names(["model.lr_init", "model.a.rate", "model.b.rate"]) == {
        "model.lr_init": "lr_init",
        "model.a.rate": "a.rate",
        "model.b.rate": "b.rate",
    }


def test_rates_and_truth_share_one_scale_in_spikes_per_second():
    with style():
        figure = trial_images(examples(bin_seconds=0.02))
    images = [axes.images[0] for axes in figure.axes if axes.images]
    rates = [image for image in images if image.get_array().shape == (6, 20)]

    assert len(rates) == 4
    assert len({image.get_clim() for image in rates}) == 1
    np.testing.assert_allclose(rates[0].get_array(), examples().rates[0].T / 0.02)


def test_a_held_out_channel_is_among_the_traces():
    trials = examples(heldin=5)
    trials.rates[:, :, 5] = 1.0  # the least lively

    assert 5 in lively(trials)
    assert 5 not in lively(examples_without_held_out(trials))


def examples_without_held_out(trials):
    return type(trials)(**{**vars(trials), "heldin": 6})


def test_colours_of_a_figure_are_the_pages_variables():
    with style():
        figure = population_curves(family())
        svg = inline_svg(figure, "curves", "recon")

    assert "var(--best)" in svg
    assert "#0a66c2" not in svg


def test_a_dollar_in_a_title_is_a_dollar():
    with style():
        figure = new_figure(1)
        figure.subplots().set_title("cost in $_{")
        assert "cost in $_{" in inline_svg(figure, "x", "x")


def test_long_trials_are_shown_in_seconds_and_images_stay_small():
    rates = np.full((1, 3000, 500), 0.5)
    with style():
        figure = trial_images(TrialExamples(rates, rates, None, [0], 0.01, 500, 3000))

    shapes = [axes.images[0].get_array().shape[:2] for axes in figure.axes if axes.images]
    assert max(max(shape) for shape in shapes) <= 300
    np.testing.assert_allclose(figure.axes[2].images[0].get_array(), 50)
    assert figure.axes[2].get_xlabel() == "time (s)"
    assert figure.axes[2].get_xlim() == (0, 30)
