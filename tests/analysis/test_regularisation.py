"""Every ridge and time of a training set at once, against trials one at a time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import PowerLaw
from simdiff.engine import trial_keys
from simdiff.sampling import DDPM
from simdiff.trainers import GradientFlow, Ridge

RIDGES = (0.01, 0.3)
PROBLEM = simdiff.LinearSampling(
    PowerLaw(1.0), GradientFlow((1.0, 20.0), 0.1), DDPM(5, 0.1, 0.4), psi_n=0.5, bias=True, samples=0
)


def test_it_is_what_trials_one_ridge_at_a_time_give():
    d = 12
    table = simdiff.regularisation_path(PROBLEM, RIDGES, d, trials=2, seed=3)
    assert list(table.columns[:5]) == ["d", "trial", "seed", "ridge", "time"]
    assert len(table) == 2 * 2 * 2
    key = trial_keys(PROBLEM, d, 3, [1])[0]
    for ridge in RIDGES:
        single = dataclasses.replace(PROBLEM, trainer=dataclasses.replace(PROBLEM.trainer, ridge=ridge))
        kernel, inputs = single.kernel(d)
        wanted = jax.jit(kernel)(key, jax.tree.map(jnp.asarray, inputs))
        got = table[(table["trial"] == 1) & (table["ridge"] == ridge)]
        for name in ("test", "train", "covariance", "kl_sampled_target", "kl_target_sampled"):
            np.testing.assert_allclose(got[name], wanted[name], rtol=1e-9, err_msg=name)
    assert table.groupby(["trial", "ridge"])["test"].nunique().eq(2).all()


@pytest.mark.parametrize("ridges", [[], [-0.1], "0.1", None], ids=["none", "negative", "text", "nothing"])
def test_bad_ridges_are_refused(ridges):
    with pytest.raises(simdiff.InputError, match="ridges"):
        simdiff.regularisation_path(PROBLEM, ridges, 8)
    with pytest.raises(simdiff.InputError, match="LinearSampling"):
        simdiff.regularisation_path(simdiff.DenoisingScoreMatching(trainer=Ridge(0.1)), [0.1], 8)
