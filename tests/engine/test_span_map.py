"""Part of a batch: what is asked for, with the bits of the whole batch, and no more work than that."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.engine import run_trials
from simdiff.engine.span_map import span_map, whole

KEYS = jax.random.split(jax.random.key(3), 12)


def mapped(span, width, counted=None):
    def run(key):
        if counted is not None:
            jax.debug.callback(lambda: counted.append(1))
        return {"normal": jax.random.normal(key, (2,)), "count": jnp.sum(jax.random.bits(key) % 7)}

    found = jax.jit(lambda span: span_map(run, KEYS, span, width))(np.asarray(span, np.int32))
    jax.effects_barrier()
    return jax.tree.map(np.asarray, found)


@pytest.mark.parametrize("width", [1, 3, 4])
@pytest.mark.parametrize("span", [(0, 12), (0, 1), (5, 6), (7, 12), (-4, 2), (9, 30), (20, 24), (-8, -2)])
def test_the_span_has_the_numbers_of_the_whole(span, width):
    every, found = mapped(whole(KEYS), width), mapped(span, width)
    wanted = slice(max(span[0], 0), max(min(span[1], 12), 0))
    for name, values in found.items():
        assert values.dtype == every[name].dtype
        np.testing.assert_array_equal(values[wanted], every[name][wanted])
    step = np.arange(12) // width
    asked = (step >= span[0] // width) & (step < -(-span[1] // width))
    assert np.isnan(found["normal"][~asked]).all()
    assert not np.isnan(found["normal"][asked]).any()
    assert (found["count"][~asked] == 0).all()


def test_only_the_span_is_run():
    counted = []
    mapped((4, 6), 1, counted)
    assert len(counted) == 2


def test_trials_of_part_of_a_batch_are_those_of_the_whole():
    problem = simdiff.LinearSampling(psi_n=2.0)
    (every,) = run_trials(problem, 12, 0, range(8))
    for wanted in ([3], [0, 1], [2, 6]):
        (some,) = run_trials(problem, 12, 0, wanted)
        assert some["trial"].tolist() == wanted
        metrics = [metric.name for metric in problem.metrics]
        np.testing.assert_array_equal(some[metrics], every.loc[every["trial"].isin(wanted), metrics])
