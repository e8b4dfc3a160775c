"""Densities of ensembles: what is counted, whom they belong to, and the distance of theory and training."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import simdiff
from simdiff.analysis import densities
from simdiff.analysis.densities import Ensemble, _histograms, learned_density, trained_pieces
from simdiff.data import PointMasses
from simdiff.models import GaussianFeatures
from simdiff.report.figures.fields import TargetFields, field_row
from simdiff.report.plots.densities import DensityPanel, draw_densities
from simdiff.report.plots.fields import draw_fields
from simdiff.sampling import SquareRoot, VarianceExploding, VariancePreserving

LINE = simdiff.EnsembleSampling(
    PointMasses([-1.0, 0.0, 1.0]), GaussianFeatures(5, 4), VariancePreserving(t_min=1e-2), samples=300, P=400
)


def test_samples_outside_the_window_are_counted():
    x = np.array([[[-0.9], [0.1], [0.2], [5.0]], [[0.6], [0.7], [0.9], [-0.2]]])
    found, few = _histograms(iter([x]), np.linspace(-1, 1, 5))
    np.testing.assert_allclose(found.density, [[0.5, 0.0, 1.0, 0.0], [0.0, 0.5, 0.0, 1.5]])
    np.testing.assert_allclose(found.outside, [0.25, 0.0])
    np.testing.assert_array_equal(few, x)
    plane = np.stack([x[0, :3, 0], x[0, :3, 0]], axis=1)[None]
    square, _ = _histograms(iter([plane]), np.linspace(-1, 1, 3))
    np.testing.assert_allclose(square.density[0], [[1 / 3, 0], [0, 2 / 3]])


def test_an_ensembles_mean_and_quantiles():
    both = Ensemble(np.array([[0.0, 2.0], [1.0, 2.0], [2.0, 2.0]]), np.zeros(3))
    np.testing.assert_allclose(both.mean, [1.0, 2.0])
    np.testing.assert_allclose(both.quantiles(0.0, 0.5), [[0.0, 2.0], [1.0, 2.0]])
    np.testing.assert_allclose(both.stderr, [1 / np.sqrt(3), 0.0])


@pytest.mark.heavy
def test_a_models_samples_do_not_depend_on_how_many_there_are(monkeypatch):
    monkeypatch.setattr(densities, "TOGETHER", 3)
    few, many = (np.concatenate([*trained_pieces(LINE, 50, count)]) for count in (3, 6))
    np.testing.assert_array_equal(few, many[:3])


@pytest.mark.heavy
def test_trained_models_and_theory_have_one_density_and_a_wrong_theory_another():
    """P = 20 F: within the errors; the dynamics of P = 2 F is far away."""
    found = learned_density(LINE, models=150, samples=300, seed=3)
    assert abs(found.distance.excess) < 3 * found.distance.stderr
    inside = found.trained.density.sum(axis=1) * (found.edges[1] - found.edges[0])
    np.testing.assert_allclose(inside + found.trained.outside, 1.0)
    trained = learned_density(LINE, P=40, models=150, samples=300, seed=3).trained
    gap = (
        np.abs(found.theory.mean - trained.mean).sum() / np.abs(found.theory.mean - found.trained.mean).sum()
    )
    assert gap > 2


def test_figures_of_densities_and_fields():
    rng = np.random.default_rng(0)
    edges = np.linspace(-1, 1, 9)
    line = DensityPanel("a", np.array([[0.0]]), edges, rng.random((3, 8)), rng.random((4, 8)), "note")
    drawn = {child.get_gid(): child for child in draw_densities([line]).axes[0].patches}
    np.testing.assert_allclose(drawn["trained"].get_data().values, line.trained.mean(0))
    np.testing.assert_allclose(drawn["theory"].get_data().values, line.theory.mean(0))
    plane = DensityPanel("b", np.zeros((2, 2)), edges, rng.random((3, 8, 8)), rng.random((4, 8, 8)))
    first = draw_densities([plane]).axes[0].collections[0]
    np.testing.assert_allclose(first.get_array(), plane.trained.mean(0).T)
    row = field_row(PointMasses("square"), SquareRoot(), (0.1, 0.5))
    assert row.label == "square"
    assert row.values.shape == (2, 60, 60)
    assert len(draw_fields([row, row], (0.1, 0.5), "share").axes) == 5


@pytest.mark.parametrize(
    ("schedule", "good", "bad"),
    [(SquareRoot(), 0.999, 1.0), (SquareRoot(), 0.5, 1.5), (VarianceExploding(), 100.0, 1e-200)],
    ids=["alpha = 0", "alpha of no number", "no noise"],
)
def test_fields_are_at_times_that_the_schedule_has(schedule, good, bad):
    plane = dataclasses.replace(
        LINE, data=PointMasses("square"), model=GaussianFeatures(2, 2), schedule=schedule
    )
    studies, wanted = [SimpleNamespace(problem=plane)], {"density": {"models": 0}, "fields": [good]}
    TargetFields().check(wanted, studies)
    with pytest.raises(simdiff.InputError, match=rf"figure\.fields: got {bad}; .* is defined"):
        TargetFields().check(wanted | {"fields": [good, bad]}, studies)


@pytest.mark.parametrize(("across", "columns"), [(5, 5), (2, 2), (4, 3), (10, 3), (None, 3)])
def test_panels_in_a_row(across, columns):
    """As asked where that makes full rows that fit the page."""
    edges = np.linspace(-1, 1, 9)
    line = DensityPanel("a", np.array([[0.0]]), edges, np.ones((2, 8)), np.ones((2, 8)))
    axes = draw_densities([line] * 10, across=across).axes
    assert axes[0].get_gridspec().ncols == columns
    assert [bool(ax.get_xlabel()) for ax in axes[::9]] == [columns != 5, True]


@pytest.mark.parametrize(
    ("change", "named"),
    [({"models": 1}, "models"), ({"P": 0}, "P"), ({"bins": 1}, "bins"), ({"theory": "wishart_kl"}, "theory")],
)
def test_bad_arguments_are_named(change, named):
    with pytest.raises(simdiff.InputError, match=named):
        learned_density(LINE, **change)


def test_more_than_two_dimensions_have_no_picture():
    space = dataclasses.replace(LINE, data=PointMasses(np.eye(3)), model=GaussianFeatures(2, 2))
    with pytest.raises(simdiff.InputError, match="3 dimensions"):
        learned_density(space)
