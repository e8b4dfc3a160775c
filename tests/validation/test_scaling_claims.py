"""Exponents, crossings and data collapse on made-up data with known answers, and wrong answers rejected."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from simdiff.errors import InputError
from simdiff.report.plots.collapse import collapse_figure
from simdiff.validation import size_stats
from simdiff.validation.claims import Fitted, judge_claim
from simdiff.validation.crossings import crossing_limit, crossings
from simdiff.validation.curves import curves_of, independent_curve, known_curve
from simdiff.validation.exponents import fit_exponent
from simdiff.validation.scaling import collapse_curves

SIZES = (64, 128, 256, 512)
CRITICAL, EXPONENT = 0.593, 0.75  # b = 1 / nu, nu = 4/3 as in percolation


def percolation(seed, error=0.01, sizes=SIZES, correction=0.0):
    """Spanning probabilities f((p - p_c) L^(1/nu)), with independent errors."""
    rng, curves = np.random.default_rng(seed), []
    for d in sizes:
        x = np.linspace(-2.0, 2.0, 13)
        value = expit(2 * x + 0.4 * x**2) + correction * d**-1.0 * (1 + x)
        t = CRITICAL + x * d**-EXPONENT
        curves.append(known_curve(d, t, value + error * rng.standard_normal(13), np.full(13, error)))
    return curves


def test_a_collapse_finds_the_exponent_of_percolation_and_rejects_others():
    curves = percolation(1)
    found = collapse_curves(curves, 0.6, 1.0, degree=7)
    assert found.p_fit > 0.01
    assert judge_claim(found.exponent, 0.75, precision=0.05).verdict == "agree"
    assert judge_claim(found.critical, CRITICAL, precision=0.005).verdict == "agree"
    assert judge_claim(found.exponent, 1.0, precision=0.05).verdict == "disagree"
    assert judge_claim(found.exponent, 0.75 * 1.15, precision=0.05).verdict == "disagree"
    # the scaling function itself, where the data are
    x = np.linspace(-1.5, 1.5, 7)
    assert found.function(x) == pytest.approx(expit(2 * x + 0.4 * x**2), abs=0.02)


def test_errors_are_as_large_as_the_scatter_of_repetitions():
    """40 repetitions: pulls of exponent and critical point have unit variance, and p_fit is uniform."""
    fits = [collapse_curves(percolation(seed), CRITICAL, EXPONENT, degree=7) for seed in range(40)]
    pulls = np.array(
        [
            [
                (f.exponent.value - EXPONENT) / f.exponent.stderr,
                (f.critical.value - CRITICAL) / f.critical.stderr,
            ]
            for f in fits
        ]
    )
    assert (np.abs(pulls.mean(0)) < 3.5 / math.sqrt(40)).all()
    assert ((pulls**2).sum(0) > 18).all()  # chi2 of 40: 0.1% to 99.9%
    assert ((pulls**2).sum(0) < 74).all()
    assert 0.25 < np.mean([f.p_fit for f in fits]) < 0.75


def test_curves_that_do_not_collapse_are_no_evidence():
    """Corrections to scaling that nobody asked for: no verdict; asked for, the right one."""
    curves = percolation(3, error=0.002, correction=4.0)
    bare = collapse_curves(curves, CRITICAL, EXPONENT, degree=12)
    assert judge_claim(bare.exponent, EXPONENT, precision=0.1).verdict == "does not fit"
    corrected = collapse_curves(curves, CRITICAL, EXPONENT, degree=12, omega=1.0)
    assert judge_claim(corrected.exponent, EXPONENT, precision=0.1).verdict == "agree"


def test_an_amplitude_exponent_is_found_beside_the_others():
    curves = [
        known_curve(c.d, c.t, c.d**-0.2 * c.mean, c.d**-0.2 * c.stderr) for c in percolation(5, error=0.005)
    ]
    found = collapse_curves(curves, CRITICAL, EXPONENT, degree=7, amplitude=True)
    assert judge_claim(found.amplitude, 0.2, precision=0.05).verdict == "agree"
    assert judge_claim(found.amplitude, 0.25, precision=0.05).verdict == "disagree"
    assert collapse_curves(percolation(5), CRITICAL, EXPONENT).amplitude.value == 0.0


def power_law(seed, exponent=-1.0, correction=0.0, trials=24):
    rng = np.random.default_rng(seed)
    values = {d: 3 * d**exponent * math.exp(correction / d) for d in (8, 16, 32, 64, 128)}
    return size_stats({d: v * (1 + 0.05 * rng.standard_normal(trials)) for d, v in values.items()})


def test_an_exponent_is_found_and_a_wrong_one_rejected():
    found = fit_exponent(power_law(0))
    assert judge_claim(found, -1.0, precision=0.05).verdict == "agree"
    assert judge_claim(found, -1.05, precision=0.05).verdict == "disagree"
    assert judge_claim(found, -1.0, precision=0.001).verdict == "inconclusive"


def test_a_correction_to_scaling_makes_a_bare_line_not_fit():
    stats = power_law(2, correction=4.0)
    assert judge_claim(fit_exponent(stats), -1.0, precision=0.1).verdict == "does not fit"
    corrected = fit_exponent(stats, correction=1.0)
    assert judge_claim(corrected, -1.0, precision=0.2).verdict == "agree"


def test_pulls_of_exponents_follow_student():
    p = np.array([fit_exponent(power_law(seed, trials=6)).p_value(-1.0) for seed in range(400)])
    assert abs((p < 0.05).mean() - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 400)
    wrong = np.array([fit_exponent(power_law(seed, trials=6)).p_value(-1.05) for seed in range(40)])
    assert (wrong < 0.05).mean() > 0.5


def binder(seed, error=1e-3, sizes=(16, 24, 32, 48, 64)):
    """tanh((t - 1) d / 10) - 1 / (2 d): neighbouring curves cross at 1 - 5 / (d d')."""
    rng, t = np.random.default_rng(seed), np.linspace(0.96, 1.02, 15)
    curves = []
    for d in sizes:
        value = np.tanh(0.1 * (t - 1.0) * d) - 0.5 / d + error * rng.standard_normal(15)
        curves.append(known_curve(d, t, value, np.full(15, error)))
    return curves


def test_crossings_drift_towards_the_critical_point():
    found = crossings(binder(4), (0.96, 1.02))
    assert [c.small for c in found] == [16, 24, 32, 48]
    exact = np.array([1 - 5 / (c.small * c.large) for c in found])
    pulls = (np.array([c.t for c in found]) - exact) / [c.stderr for c in found]
    assert (np.abs(pulls) < 4).all()
    assert found[0].t < 1 - 4 * found[0].stderr
    limit, drift = crossing_limit(found, 2.0)
    assert drift == pytest.approx(-5, rel=0.3)
    assert judge_claim(limit, 1.0, precision=0.003).verdict == "agree"
    assert judge_claim(limit, 0.995, precision=0.003).verdict == "disagree"


@pytest.mark.parametrize("sizes", [(16, 24, 36), (16, 24, 32, 48, 64)], ids=["three sizes", "five"])
def test_errors_of_crossings_are_those_of_repetitions(sizes):
    """Twin: without the covariance of neighbours errors are too small for three sizes, too large for five."""
    found = [crossings(binder(seed, 2e-4, sizes), (0.96, 1.02)) for seed in range(400)]
    apart = [[dataclasses.replace(each, with_next=0.0) for each in one] for one in found]
    right, wrong = (spread([crossing_limit(one, 2.0)[0] for one in all_]) for all_ in (found, apart))
    assert abs(right - 1) < 0.12  # 400 repetitions: 3.4 standard errors
    assert abs(wrong - 1) > 0.12
    assert (wrong > 1) == (len(sizes) == 3)


def spread(limits):
    return np.std([(limit.value - 1.0) / limit.stderr for limit in limits])


def test_a_covariance_is_used_where_times_run_along_trials():
    """Common noise of all times: errors of differences are small, and the collapse is as good as it
    should be."""
    rng, rows = np.random.default_rng(6), []
    for d in SIZES:
        x = np.linspace(-1.5, 1.5, 7)
        for trial in range(60):
            value = expit(2 * x) + 0.05 * rng.standard_normal(7) + 0.05 * rng.standard_normal()
            rows.append(
                pd.DataFrame({"d": d, "trial": trial, "seed": 0, "time": 0.6 + x * d**-0.75, "y": value})
            )
    table = pd.concat(rows).assign(status="ok")
    curves = curves_of(table, "y")
    assert curves[0].covariance[0, 6] == pytest.approx(0.05**2 / 60, rel=0.7)
    found = collapse_curves(curves, 0.6, 0.75, degree=5)
    assert judge_claim(found.exponent, 0.75, precision=0.2).verdict == "agree"
    assert judge_claim(found.exponent, 1.3, precision=0.2).verdict == "disagree"
    assert curves_of(table, "y", shift=dict.fromkeys(SIZES, 0.5))[0].t == pytest.approx(curves[0].t - 0.5)


def test_a_figure_shows_curves_and_collapse():
    curves = percolation(1)
    figure = collapse_figure(curves, collapse_curves(curves, 0.6, 0.75), x="p", y="P")
    raw, scaled = figure.axes
    assert len(raw.containers) == len(scaled.containers) == 4
    figure.canvas.draw()


def test_claims_say_what_would_have_been_seen():
    known = Fitted(1.0, 0.1, math.inf, 1.0, 1, 0.5)
    claim = judge_claim(known, 1.0, precision=0.3)
    assert claim.smallest_seen == pytest.approx((1.959964 + 0.841621) * 0.1, rel=1e-5)
    assert "80%" in str(claim)
    assert (
        judge_claim(Fitted(math.nan, math.nan, 1, math.nan, 0, math.nan), 1.0, 1.0).verdict == "inconclusive"
    )
    assert "not testable" in judge_claim(Fitted(1.0, 0.1, 9, math.nan, 0, math.nan), 1.0, 1.0).reason


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: collapse_curves(percolation(0)[:1], 0.6, 0.75),
        lambda: collapse_curves(percolation(0)[:2], 0.6, 0.75, degree=40),
        lambda: crossings(percolation(0)[:1], (0.5, 0.7)),
        lambda: crossings(percolation(0), (0.1, 0.2)),
        lambda: crossing_limit([], 1.0),
        lambda: fit_exponent(size_stats({8: [1.0, -1.2], 16: [1.0, 1.1]})),
        lambda: fit_exponent(power_law(0), x=[1.0]),
        lambda: known_curve(8, [1.0, 0.5], [1, 1], [1, 1]),
        lambda: known_curve(8, [0.0, 0.5], [1, 1], [1, 0]),
        lambda: independent_curve(8, [0.0, 0.5], [[1.0], [1.0, 2.0]]),
    ],
)
def test_what_cannot_be_fitted_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()
