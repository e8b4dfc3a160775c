"""What must hold of the statistics whatever the numbers: the same search by hypothesis in every run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simdiff.validation import SizeStats, fit_limit, holm
from simdiff.validation.columns import COLUMNS
from simdiff.validation.corrections import check_corrections, evaluate, from_words, in_words
from simdiff.validation.verdict import limit_p_value

fixed = settings(derandomize=True, max_examples=60, deadline=None)

p_values = st.lists(st.floats(0, 1) | st.just(math.nan), min_size=1, max_size=12)
exponents = st.lists(st.floats(0.3, 4.0), min_size=1, max_size=3, unique=True).filter(
    lambda xs: all(abs(a - b) > 0.3 for i, a in enumerate(xs) for b in xs[:i])
)
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


@fixed
@given(p_values)
def test_holm_only_raises_and_keeps_the_order(p):
    adjusted = holm(p)
    known = ~np.isnan(p)
    assert (np.isnan(adjusted) == ~known).all()
    assert (adjusted[known] >= np.asarray(p)[known]).all()
    assert (adjusted[known] <= 1).all()
    order = np.argsort(np.asarray(p)[known], kind="stable")
    assert (np.diff(adjusted[known][order]) >= 0).all()


@fixed
@given(p_values, st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_the_order(p, random):
    places = list(range(len(p)))
    random.shuffle(places)
    np.testing.assert_array_equal(holm([p[i] for i in places]), holm(p)[places])


@fixed
@given(p_values)
def test_holm_lies_between_no_correction_and_bonferroni(p):
    adjusted, known = holm(p), ~np.isnan(p)
    bonferroni = np.minimum(np.asarray(p)[known] * len(p), 1.0)
    assert (adjusted[known] <= max(bonferroni.max(initial=0.0), 1e-300)).all()
    assert adjusted[known].min(initial=1.0) == bonferroni.min(initial=1.0)


def stats_of(sizes, means, variances, counts):
    return SizeStats(
        np.asarray(sizes, np.int64),
        np.asarray(counts, np.int64),
        np.asarray(means, float),
        np.asarray(variances, float),
        np.zeros(len(sizes), np.int64),
    )


@st.composite
def measured(draw):
    """(sizes, counts, variances) at four or five sizes that lie apart."""
    sizes = np.cumprod(
        [draw(st.integers(20, 200)), *draw(st.lists(st.sampled_from([2, 3]), min_size=3, max_size=4))]
    )
    counts = draw(arrays(np.int64, len(sizes), elements=st.integers(2, 500)))
    variances = draw(arrays(np.float64, len(sizes), elements=st.floats(1e-8, 10.0)))
    return sizes, counts, variances


@fixed
@given(measured(), exponents, numbers, st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_means_on_the_ansatz_give_its_limit(at, powers, limit, sizes_of_corrections):
    sizes, counts, variances = at
    corrections = check_corrections(powers)
    g = evaluate(corrections, sizes.astype(float)) / evaluate(corrections, sizes[:1].astype(float))
    means = limit + (g * np.asarray(sizes_of_corrections[: len(powers)])).sum(-1)
    found = fit_limit(stats_of(sizes, means, variances, counts), corrections)
    scale = abs(limit) + 10.0
    assert abs(found.limit - limit) <= 1e-7 * scale
    assert abs(sum(found.weights) - 1) <= 1e-8


@fixed
@given(
    measured(), exponents, arrays(np.float64, 5, elements=st.floats(-5, 5)), numbers, st.floats(0.1, 100.0)
)
def test_shift_and_scale_go_through(at, powers, means, shift, factor):
    sizes, counts, variances = at
    corrections, means = check_corrections(powers), means[: len(sizes)]
    plain = fit_limit(stats_of(sizes, means, variances, counts), corrections)
    moved = fit_limit(stats_of(sizes, factor * means + shift, factor**2 * variances, counts), corrections)
    assume(plain.stderr > 0)
    room = 1e-7 * (abs(shift) + factor * 5) * np.abs(plain.weights).sum()
    assert abs(moved.limit - (factor * plain.limit + shift)) <= room
    np.testing.assert_allclose(moved.stderr, factor * plain.stderr, rtol=1e-9)
    np.testing.assert_allclose(moved.dof, plain.dof, rtol=1e-9)


@fixed
@given(st.floats(-50, 50), st.floats(1e-6, 10), st.floats(1, 1e6), st.floats(0, 1), st.floats(0, 1))
def test_p_values_fall_with_the_deviation_and_rise_with_what_is_negligible(
    limit, stderr, dof, more, negligible
):
    here = limit_p_value(limit, stderr, dof, negligible)
    assert 0 <= here <= 1
    assert limit_p_value(-limit, stderr, dof, negligible) == here
    assert limit_p_value(abs(limit) + more, stderr, dof, negligible) <= here + 1e-12
    assert limit_p_value(limit, stderr, dof, negligible + more) >= here - 1e-12


@fixed
@given(exponents)
def test_corrections_are_read_back_from_their_words(powers):
    corrections = check_corrections(powers)
    assert from_words(in_words(corrections)) == pytest.approx(corrections, rel=1e-12)


def test_the_columns_are_distinct():
    assert len(set(COLUMNS)) == len(COLUMNS)
