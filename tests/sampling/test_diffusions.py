"""Forward processes: consistent coefficients, grids of times, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.sampling import SquareRoot, VarianceExploding, VariancePreserving, flow_steps

PROCESSES = [VariancePreserving(), VarianceExploding(), SquareRoot()]


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
def test_coefficients_fit_together(process):
    """d log alpha / dt = -beta and d sig2 / dt = 2 D - 2 beta sig2."""
    t = process.time(jnp.linspace(0.0, 1.0, 7))
    at = process.level(t)
    slope = lambda f: jax.vmap(jax.grad(f))(t)  # noqa: E731
    np.testing.assert_allclose(slope(lambda t: jnp.log(process.level(t).alpha)), -at.beta, rtol=1e-12)
    wanted = 2 * at.D - 2 * at.beta * at.sig2
    np.testing.assert_allclose(slope(lambda t: process.level(t).sig2), wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose([t[0], t[-1]], [process.t_min, process.t_max], rtol=1e-12)


def test_the_defaults_are_the_papers():
    at = VariancePreserving().level(jnp.array(1.0))
    np.testing.assert_allclose([at.alpha, at.beta], [np.exp(-0.1 - 19.9 / 2), 20.0], rtol=1e-14)
    steps = flow_steps(VarianceExploding(), 4)
    roots = np.asarray(steps.t) ** (1 / 7)
    np.testing.assert_allclose(np.diff(roots), np.diff(roots)[0], rtol=1e-10)
    np.testing.assert_allclose(steps.t[-1] - steps.dt[-1], 0.002, rtol=1e-8)
    small = VariancePreserving().level(jnp.array(1e-12)).sig2
    np.testing.assert_allclose(small, 2e-13, rtol=1e-9)  # no cancellation


@pytest.mark.parametrize(
    ("kind", "arguments", "field"),
    [
        (VariancePreserving, {"t_min": -0.1}, "schedule.t_min"),
        (VariancePreserving, {"t_min": 0.0}, "schedule.t_min"),
        (VarianceExploding, {"t_min": 3.0, "t_max": 2.0}, "schedule.t_min"),
        (SquareRoot, {"t_max": 1.0}, "schedule.t_max"),
        (VariancePreserving, {"b0": 0.0}, "schedule.b0"),
    ],
    ids=["negative", "zero", "order", "alpha = 0", "b0"],
)
def test_bad_times_are_one_clear_message(kind, arguments, field):
    with pytest.raises(simdiff.InputError, match=f"{field}.*allowed"):
        kind(**arguments)
