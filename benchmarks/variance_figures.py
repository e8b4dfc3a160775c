"""Figures 2 and 3 of arXiv 2504.12532 at full size, timed beside a plain NumPy notebook, theory beside them.

    python benchmarks/variance_figures.py [line|square] [models] [samples] [speed|compare]

`line`: three points, 256 Gaussian features, P from 64 to 1,024 and three smallest times (15 panels).
`square`: four points on the unit circle at three angles, 1,000 Gaussian or Fourier features, P = 500 (6
panels). By default 100 models of 1e5 samples each and 30 steps. Ours and the notebook are timed as whole
processes, one after the other, compilation included; the theory is timed apart, the notebook has none.
Stored in results/variance_<name>.csv: one row per panel, with shares in gaps of trained models, of both
theories and of the exact score in the same steps, and Wasserstein distances of the corrected theory with
their floors;
in results/variance_speed_<name>.csv seconds and peak memory of both; and the figures.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.analysis.densities import learned_density, trained_pieces
from simdiff.report.plots.densities import DensityPanel, draw_densities
from simdiff.report.plots.style import save
from simdiff.sampling import VariancePreserving, flow_steps, naive_samples
from simdiff.sampling.observables import sample_means

SEED = 0
EXACT = 2**17
"""Samples of the exact score."""


def panels(name: str, samples: int) -> list[tuple[dict[str, object], simdiff.EnsembleSampling]]:
    """The settings of every panel and its problem."""
    trainer = simdiff.trainers.Ridge(0.1)
    if name == "line":
        data, found = simdiff.data.PointMasses("line"), []
        for t_min in (1e-4, 1e-3, 1e-2):
            for P in (64, 128, 256, 512, 1024):
                schedule = VariancePreserving(t_min=t_min)
                problem = simdiff.EnsembleSampling(
                    data, schedule=schedule, trainer=trainer, samples=samples, P=P
                )
                found.append(({"t_min": t_min, "P": P}, problem))
        return found
    families = {
        "Gaussian": simdiff.models.GaussianFeatures(10, 10),
        "Fourier": simdiff.models.FourierFeatures(10, 10),
    }
    return [
        (
            {"features": family, "angle": f"{step} pi / 8"},
            simdiff.EnsembleSampling(
                simdiff.data.PointMasses("square", angle=step * np.pi / 8),
                model,
                VariancePreserving(t_min=1e-3),
                trainer,
                samples=samples,
                P=500,
            ),
        )
        for family, model in families.items()
        for step in range(3)
    ]


def train_all(name: str, models: int, samples: int) -> None:
    """What the notebook does: the averaged histograms of all panels; a line of JSON with time and memory."""
    start = time.perf_counter()
    for _, problem in panels(name, samples):
        edges = np.linspace(-1.5, 1.5, 121 if problem.data.dimension == 1 else 49)
        total = np.zeros((edges.size - 1,) * problem.data.dimension)
        for piece in trained_pieces(problem, problem.P, models, SEED):
            for x in piece:
                total += np.histogramdd(x, [edges] * x.shape[1])[0] / samples
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_mib": peak}))


def timed(command: list[str]) -> dict[str, float]:
    """Whole process: seconds from start to end and what it says of its memory."""
    start = time.perf_counter()
    out = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True).stdout
    return {"seconds": time.perf_counter() - start, "peak_mib": json.loads(out.splitlines()[-1])["peak_mib"]}


def speed(name: str, models: int, samples: int) -> pd.DataFrame:
    """Ours and the notebook, one after the other."""
    here, numbers = Path(__file__), [name, str(models), str(samples)]
    ours = timed([str(here), "train", *numbers])
    notebook = timed([str(here.with_name("variance_notebook.py")), *numbers])
    rows = [{"program": "simdiff", **ours}, {"program": "NumPy notebook", **notebook}]
    return pd.DataFrame(rows).assign(ratio=lambda t: t["seconds"].iloc[1] / t["seconds"])


def gaps(problem: simdiff.EnsembleSampling, models: int) -> np.ndarray:
    """The share in gaps of every trained model."""
    points, masses = (jnp.asarray(part) for part in problem.data.arrays())
    pieces = trained_pieces(problem, problem.P, models, SEED)
    found = [sample_means(jnp.asarray(x), points, masses, problem.gap_radius)["gap"] for x in pieces]
    return np.concatenate([np.asarray(part) for part in found])


def exact_gap(problem: simdiff.EnsembleSampling) -> float:
    """The share in gaps that the exact score leaves with the problem's schedule and steps."""
    points, masses = (jnp.asarray(part) for part in problem.data.arrays())
    steps = flow_steps(problem.schedule, problem.steps)
    x = naive_samples(problem.data, steps, 0.0, jax.random.key(SEED), EXACT)
    return float(sample_means(x[None], points, masses, problem.gap_radius)["gap"][0])


def compare(name: str, models: int, samples: int) -> tuple[pd.DataFrame, float]:
    """The table of all panels, and seconds of theory; the figure is saved."""
    rows, shown, seconds = [], [], 0.0
    for about, problem in panels(name, samples):
        start = time.perf_counter()
        theory = {
            order: float(simdiff.predict(dataclasses.replace(problem, samples=256), theory=order)["gap"])
            for order in ("effective_dynamics", "effective_dynamics_first_order")
        }
        seconds += time.perf_counter() - start
        share = gaps(problem, models)
        found = learned_density(problem, models=models, samples=samples, window=1.5, seed=SEED)
        row = {**about, "gap": share.mean(), "stderr": share.std(ddof=1) / np.sqrt(models)}
        row |= {"gap_corrected": theory["effective_dynamics"]}
        row |= {"gap_first_order": theory["effective_dynamics_first_order"], "gap_exact": exact_gap(problem)}
        row |= {
            "W1": found.distance.value,
            "W1_floor": found.distance.floor,
            "W1_stderr": found.distance.stderr,
        }
        rows.append(row | {"outside": found.trained.outside.mean()})
        label = ", ".join(
            f"{key} = {value}" if name == "line" else str(value) for key, value in about.items()
        )
        panel = DensityPanel(
            label, problem.data.arrays()[0], found.edges, found.trained.density, found.theory.density
        )
        shown.append(panel)
        print(
            {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()},
            flush=True,
        )
    save(draw_densities(shown, across=5 if name == "line" else 3), RESULTS / f"variance_{name}")
    (RESULTS / f"variance_{name}.pdf").unlink()
    return pd.DataFrame(rows), seconds


def main(name: str, models: int, samples: int, parts: tuple[str, ...]) -> None:
    command = f"python benchmarks/variance_figures.py {name} {models} {samples}"
    about = {"seed": SEED, "models": models, "samples": samples, "steps": 30}
    if "speed" in parts:
        store(f"variance_speed_{name}", speed(name, models, samples), facts(f"{command} speed", **about))
    if "compare" in parts:
        table, seconds = compare(name, models, samples)
        about |= {"seconds of both theories, all panels": round(seconds, 1)}
        store(f"variance_{name}", table, facts(f"{command} compare", **about))


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["train"]:
        train_all(words[1], int(words[2]), int(words[3]))
    else:
        parts = tuple(word for word in words if word in ("speed", "compare")) or ("speed", "compare")
        names = tuple(word for word in words if word in ("line", "square")) or ("line", "square")
        numbers = [int(word) for word in words if word.isdigit()]
        models, samples = numbers + [100, 100_000][len(numbers) :]
        for name in names:
            main(name, models, samples, parts)
