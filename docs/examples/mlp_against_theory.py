"""Does random-feature theory describe a trained two-layer network? Distances, on Gaussian and manifold data.

    python mlp_against_theory.py [mlp.csv]

Both layers are trained (Adam, every draw in every step), the width is p = psi_p d, and the theory is that of
the ridge minimiser with a first layer at random (George, Veiga, Macris, arXiv 2502.00336; on the manifold
George, Macris, arXiv 2603.22962). It is another model, so the table has distances and no verdict.
"""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import pandas as pd

import simdiff

DATA = {
    "gaussian": simdiff.data.Gaussian(),
    "hidden manifold": simdiff.data.HiddenManifold(0.5, "tanh"),
}


def init(key, d, p):
    """The first layer as random features have it, the second at zero."""
    return {"first": jax.random.normal(key, (p, d)), "second": jnp.zeros((d, p))}


def apply(params, x):
    """An estimate of the noise."""
    return params["second"] @ jnp.tanh(params["first"] @ x / jnp.sqrt(x.size))


def distances(data, psi_p, frozen=False, steps=400, **settings):
    """The verdict's table; with `frozen` the first layer stays as it was drawn."""
    network = simdiff.models.Network(
        *(init, apply), predicts="noise", psi_p=psi_p, like="tanh", ridged=("second",)
    )
    if frozen:
        network = dataclasses.replace(network, frozen=("first",))
    trainer = simdiff.trainers.Optax("adam", 0.02, steps=steps, ridge=1e-2, records=1)
    problem = simdiff.DenoisingScoreMatching(data, network, trainer, psi_n=4.0, m=2, t=0.2)
    return simdiff.validate(problem, "gaussian_equivalence", **settings).table


def main(out=None, widths=(0.5, 2.0), **settings):
    """Tables of both data laws and all widths, features frozen and trained."""
    tables = []
    for name, data in DATA.items():
        for psi_p in widths:
            for frozen in (True, False):
                table = distances(data, psi_p, frozen, **settings)
                tables.append(table.assign(data=name, psi_p=psi_p, first="frozen" if frozen else "trained"))
    whole = pd.concat(tables, ignore_index=True)
    kept = whole[["data", "psi_p", "first", "metric", "theory", "estimate", "stderr", "verdict"]]
    print(kept.to_string(index=False))
    if out:
        kept.to_csv(out, index=False)
    return kept


if __name__ == "__main__":
    main(*sys.argv[1:2], sizes=(24, 32, 48), precision=0.05, max_trials=24)
