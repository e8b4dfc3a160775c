"""Milliseconds of each part of a Ridge trial, of the whole, and the share of the product rate, side by side.

    python benchmarks/trial_parts.py                           # d = 32, 64, 128, 256
    python benchmarks/trial_parts.py --before FOLDER           # also the whole with another checkout's code
    python benchmarks/trial_parts.py --sizes 64 128

A part is the least that a trial cannot do without, as a program of its own at the lengths that the problem
has, without padding; it runs in batches on the devices in use, as trials do, all in the arithmetic of
the trial (float32 at ridge 1e-3). Default data, tanh, psi_n = 2, t = 0.1.

normals     W, the samples, their noise and that of the memorization error, addressed by row
features    W x of all pairs; at m = infinity of the samples
activation  tanh of these; at m = infinity at the 32 nodes of each Gaussian average, with the sums over nodes
gram        the symmetric products (at m = infinity one for each term of the series) and the right-hand side
solve       Cholesky factorisation of the smaller system and its solution for d right-hand sides
errors      covariance of pre-activations, Mehler's series, quadratic form; B f of the memorization error

`share` is the flops that the problem counts (`cost`, symmetric products once) in the time of the whole, over
the rate of a general float32 product of side 2000 measured before and after the row. Medians. Stored in
results/speed_parts.csv, where rows of other sizes stay. `load` is
the machine's load when it began: on one with other work only ratios within a row mean something.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from common import RESULTS, engine_seconds, facts, peak, seconds, store
from speed import point

from simdiff.engine import trials_per_call
from simdiff.engine.devices import in_use, one_lapack_thread
from simdiff.engine.random_numbers import normal_rows
from simdiff.engine.sharding import mapped, split
from simdiff.engine.symmetric_products import half_products, halves, symmetric_product
from simdiff.functions.hermite import mehler_block, series_length
from simdiff.parts.jax_settings import pinned
from simdiff.trainers.ridge import solve_regularised

SIZES, WIDTHS, DRAWS = (32, 64, 128, 256), (1.0, 4.0), (1, 4, math.inf)
PARTS = ("normals", "features", "activation", "gram", "solve", "errors")
NODES = 32


def arrays(d: int, n: int, p: int, m: float) -> dict[str, np.ndarray]:
    """What parts start from: well-conditioned numbers of the right size."""
    rng = np.random.default_rng(0)
    rows = n if math.isinf(m) else n * int(m)
    side = p if math.isinf(m) else min(p, rows)
    fresh = 0 if math.isinf(m) else -(-4 * d // n) * n
    draw = lambda *shape: rng.standard_normal(shape, np.float32)  # noqa: E731
    found = {"w": draw(p, d), "x": draw(rows, d), "x_fresh": draw(fresh, d)}
    found |= {"u_fresh": draw(fresh, p), "b": draw(d, p) / p, "right": draw(side, d), "dual": draw(rows, d)}
    found["u"] = draw(rows, p) if rows < p else draw(p, rows)
    found["psi"] = draw(series_length(d) if math.isinf(m) else 0, p, n)
    gram = draw(side, 2 * side)
    correlation = found["w"] @ found["w"].T / d
    return found | {"gram": gram @ gram.T / (2 * side), "correlation": correlation / 2}


def normals(key: Any, given: dict[str, Any]) -> Any:
    """Every table of normals."""
    d, shapes = given["w"].shape[1], [given[name].shape[0] for name in ("w", "x", "x_fresh")]
    samples = given["b"].shape[0] * 2
    keys = [jax.random.fold_in(key, k) for k in range(4)]
    counts = [shapes[0], samples, shapes[1] if shapes[2] else 0, shapes[2]]
    return [normal_rows(k, jnp.arange(count), d) for k, count in zip(keys, counts, strict=True) if count]


def features(key: Any, given: dict[str, Any]) -> Any:
    """Pre-activations."""
    return [given["w"] @ given[name].T for name in ("x", "x_fresh") if given[name].shape[0]]


def activation(key: Any, given: dict[str, Any]) -> Any:
    """Tanh of them."""
    return [jnp.tanh(given[name]) for name in ("u", "u_fresh") if given[name].shape[0]]


def averages(key: Any, given: dict[str, Any]) -> Any:
    """Gaussian averages around each pre-activation, a row at a time."""
    d = given["w"].shape[1]
    g, w = np.polynomial.hermite_e.hermegauss(NODES)
    orders = series_length(d)
    table = jnp.asarray(np.polynomial.hermite_e.hermevander(g, orders).T * w, jnp.float32)

    def row(u: Any) -> Any:
        return table @ jnp.tanh(u + 0.4 * jnp.asarray(g, jnp.float32)[:, None])

    return jax.lax.map(row, given["u"])


def gram(key: Any, given: dict[str, Any]) -> Any:
    """The smaller of the two symmetric products, and that with the targets."""
    f, right = given["u"], given["dual"]
    return symmetric_product(f), (f.T if len(f) == len(right) else f) @ right


def grams(key: Any, given: dict[str, Any]) -> Any:
    """One for each term, summed up by Horner's scheme."""
    total = jnp.zeros_like(given["correlation"])
    for psi in given["psi"]:
        total = total * given["correlation"] + symmetric_product(psi)
    return total


def solve(key: Any, given: dict[str, Any]) -> Any:
    """Ridge regression."""
    return solve_regularised(given["gram"], jnp.float32(1e-3), given["right"])


def errors(key: Any, given: dict[str, Any]) -> Any:
    """The test error, and the memorization error of given features."""
    b, w = given["b"], given["w"]
    psi = jnp.stack([w[:, 0] * 0.1**k for k in range(series_length(b.shape[0]))])
    image = jnp.zeros_like(b)
    for (rows, cols), correlation in zip(halves(len(w)), half_products(w), strict=True):
        new = b[:, rows] @ mehler_block(correlation, psi[:, rows], psi[:, cols])
        image = jax.lax.dynamic_update_slice(image, image[:, cols] + new, (0, cols.start))
    test = jnp.sum(image * b)
    if not given["u_fresh"].shape[0]:
        return test
    return test, jnp.sum((given["x_fresh"] + given["u_fresh"] @ b.T) ** 2)


def works(m: float) -> dict[str, Callable]:
    """The parts of a trial."""
    exact = math.isinf(m)
    each = (normals, features, averages if exact else activation, grams if exact else gram, solve, errors)
    return dict(zip(PARTS, each, strict=True))


NEEDS: dict[Callable, tuple[str, ...]] = {
    normals: ("w", "x", "x_fresh", "b"),
    features: ("w", "x", "x_fresh"),
    activation: ("u", "u_fresh"),
    averages: ("w", "u"),
    gram: ("u", "dual"),
    grams: ("psi", "correlation"),
    solve: ("gram", "right"),
    errors: ("b", "w", "u_fresh", "x_fresh"),
}
"""The arrays that each part reads."""


def part_seconds(work: Callable, m: float, d: int, psi_p: float) -> float:
    """Median seconds of one part: as many as a launch has trials, spread over the devices as these are.

    Every trial has arrays of its own and gives all that it makes, so that compilers can leave nothing out.
    """
    problem = point(psi_p, m)
    size, devices = trials_per_call(problem, d), in_use()
    given = arrays(d, *problem.counts(d), m)
    given = {name: np.broadcast_to(given[name], (size, *given[name].shape)) for name in NEEDS[work]}
    with pinned(), one_lapack_thread():
        keys = split(jax.random.split(jax.random.key(0), size), devices)
        batch = keys, jax.tree.map(lambda array: split(jnp.asarray(array), devices), given)
        run = jax.jit(mapped(lambda batch, none, span: jax.lax.map(lambda one: work(*one), batch), keys))
        return seconds(lambda: run(batch, {}, np.zeros(2, np.int32))) / size


def row(d: int, psi_p: float, m: float) -> dict[str, Any]:
    """One point, times in milliseconds."""
    problem, before = point(psi_p, m), peak("float32", 2000)
    found = {name: 1e3 * part_seconds(work, m, d, psi_p) for name, work in works(m).items()}
    whole_trial = engine_seconds(problem, d, 5)
    top = statistics.mean([before, peak("float32", 2000)])
    parts = sum(found.values())
    more = {"parts": parts, "whole": 1e3 * whole_trial, "whole_over_parts": 1e3 * whole_trial / parts}
    share = problem.cost(d) / whole_trial / top
    return {"d": d, "psi_p": psi_p, "m": m} | found | more | {"share": share, "peak_gflops": top / 1e9}


_OLD = """
import sys
sys.path[:0] = {paths}
from math import inf
from common import engine_seconds
from speed import point
from simdiff.store import commit
print(commit(), flush=True)
for line in sys.stdin:
    d, psi_p, m = eval(line)
    print(1e3 * engine_seconds(point(psi_p, m), d, 5), flush=True)
"""


class Earlier:
    """Another checkout's code in a process of its own, which is asked for a point next to ours."""

    def __init__(self, folder: Path) -> None:
        code = _OLD.format(paths=[str(folder), str(folder / "benchmarks")])
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.commit = self._said()

    def whole(self, d: int, psi_p: float, m: float) -> float:
        """Milliseconds of a trial."""
        assert self._process.stdin is not None
        print((d, psi_p, m), file=self._process.stdin, flush=True)
        return float(self._said())

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main() -> None:
    """Measure and store, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--before", type=Path)
    chosen = parser.parse_args()
    words = f" --sizes {' '.join(map(str, chosen.sizes))}" + (" --before FOLDER" if chosen.before else "")
    about = facts(f"python benchmarks/trial_parts.py{words}", psi_n=2, ridge=1e-3, load=os.getloadavg()[0])
    earlier = Earlier(chosen.before.resolve()) if chosen.before else None
    rows = []
    for at in [(d, psi_p, m) for d in chosen.sizes for psi_p in WIDTHS for m in DRAWS]:
        rows.append(row(*at))
        if earlier:
            about["before"], old = earlier.commit, earlier.whole(*at)
            rows[-1] |= {"whole_before": old, "before_over_whole": old / rows[-1]["whole"]}
        print({name: float(f"{value:.3g}") for name, value in rows[-1].items()}, flush=True)
        store("speed_parts", with_others(pd.DataFrame(rows)), about, quiet=True)


def with_others(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the stored rows of other points."""
    path = RESULTS / "speed_parts.csv"
    if not path.exists():
        return table
    keys = ["d", "psi_p", "m"]
    both = pd.concat([pd.read_csv(path), table])
    return both.drop_duplicates(keys, keep="last").sort_values(keys, ignore_index=True)


if __name__ == "__main__":
    main()
