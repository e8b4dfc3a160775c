"""Calls of Python with odd arguments: python fuzz_calls.py FIRST LAST prints what failed, as JSON lines.

Input number k is drawn from random.Random(k): a part or function, valid arguments, and one to three of them
replaced by odd values. It must end in an `InputError`, or in a result. Trials are not run: what would run
them is right input. Run as a process of its own, since types are checked under pytest.
"""

from __future__ import annotations

import inspect
import json
import pickle
import random
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from odd_values import odd_value, value_of

import simdiff
from simdiff import engine
from simdiff.errors import InputError
from simdiff.identity.description import describe
from simdiff.parts import registry

_LEFT_OUT = {"progress", "out"}
"""Folders are written to by commands, see `fuzz_commands`."""

STORED = Path(__file__).with_name("failed_once.json")


def _planted(**arguments: Any) -> None:
    raise KeyError(arguments)


class Case(NamedTuple):
    """A function by name, and which of its arguments are replaced by which texts."""

    target: str
    odd: dict[str, str]


def _plain(value: Any) -> Any:
    """NumPy's and JAX's numbers as Python's."""
    if hasattr(value, "dtype") and hasattr(value, "item") and value.ndim == 0:
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else value


class Accepted(Exception):
    """Trials would be run now."""


def _never(*arguments: Any, **names: Any) -> None:
    raise Accepted


def _parts() -> dict[str, tuple[Callable, dict[str, Any]]]:
    found = {}
    for kind in ("data", "model", "trainer", "problem"):
        for name, part in registry.parts(kind).items():
            if part.factory is None:
                continue
            taken = inspect.signature(part.factory).parameters
            valid = {k: v for k, v in part.entry.items() if k in taken and not _missing(v)}
            if name == "ensemble_sampling":
                valid["data"] = simdiff.data.PointMasses([-1.0, 1.0])
            needed = {k for k, v in taken.items() if v.default is v.empty}
            if all(valid.get(k) is not None for k in needed):  # others need files or functions
                found[f"{kind}:{name}"] = (part.factory, valid)
    return found


def _missing(value: Any) -> bool:
    return "factory" in type(value).__name__.lower()


def _functions() -> dict[str, tuple[Callable, dict[str, Any]]]:
    tiny = simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(2.0), psi_n=1.0)
    flow = simdiff.DenoisingScoreMatching(trainer=simdiff.trainers.GradientFlow((1.0, 2.0)))
    linear = simdiff.LinearSampling()
    masses = simdiff.EnsembleSampling(data=simdiff.data.PointMasses([-1.0, 1.0]), P=8, steps=3)
    sampling = simdiff.sampling
    line = sampling.VariancePreserving()
    steps = sampling.flow_steps(line, 3)
    import jax

    key = jax.random.key(0)
    rest = {"seed": 0, "dtype": "auto", "extrapolation": None, "absolute": 0.0, "theory": None}
    return {
        "predict": (simdiff.predict, {"problem": tiny, "theory": None, "d": 20}),
        "predict:flow": (simdiff.predict, {"problem": flow, "theory": None, "d": None}),
        "predict:linear": (simdiff.predict, {"problem": linear, "theory": None, "d": None}),
        "simulate": (simdiff.simulate, {"problem": tiny, "d": 8, "trials": 1, "seed": 0, "dtype": "auto"}),
        "validate": (
            simdiff.validate,
            {"problem": tiny, "sizes": (8, 12), "precision": 0.5, "alpha": 0.05, "max_trials": 8, **rest},
        ),
        "proxy_score": (
            simdiff.proxy_score,
            {"points": [[0.0, 1.0], [1.0, 0.0]], "x": [0.0, 0.0], "alpha": 0.5, "sig2": 0.5},
        ),
        "flow_steps": (sampling.flow_steps, {"schedule": line, "steps": 3}),
        "naive_samples": (
            sampling.naive_samples,
            {"points": masses.data, "steps": steps, "kappa": 0.5, "key": key, "samples": 2},
        ),
        "learned_density": (
            simdiff.learned_density,
            {"problem": masses, "P": 8, "models": 2, "samples": 4, "bins": 4, "window": 2.0, "seed": 0},
        ),
        "best_ridge": (simdiff.best_ridge, {"problem": tiny, "metric": "score", "theory": None}),
        "sample_complexity": (
            simdiff.sample_complexity,
            {"problem": tiny, "metric": "score", "threshold": 5.0, "ridge": 0.1, "psi_n_range": (0.5, 2.0)},
        ),
        "regularisation_path": (
            simdiff.regularisation_path,
            {"problem": linear, "ridges": [0.1], "d": 4, "trials": 1, "seed": 0},
        ),
        "feature_eigenvalues": (
            simdiff.feature_eigenvalues,
            {"problem": tiny, "d": 4, "trials": 1, "seed": 0},
        ),
        "metric": (simdiff.Metric, {"name": "a", "scale": 0.0, "power": 1}),
        "vp": (sampling.VariancePreserving, {"b0": 0.1, "b1": 19.9, "t_min": 1e-3, "t_max": 1.0}),
        "ve": (sampling.VarianceExploding, {"rho": 7.0, "t_min": 0.002, "t_max": 80.0}),
        "root": (sampling.SquareRoot, {"t_min": 0.001, "t_max": 0.99}),
        "ddpm": (sampling.DDPM, {"steps": 10, "first": 1e-4, "last": 1e-2, "variance": "beta"}),
        "probability_flow": (sampling.ProbabilityFlow, {"steps": 10, "horizon": 5.0, "method": "euler"}),
        "exact": (sampling.Exact, {"process": "reverse", "horizon": 5.0, "t": 0.1}),
    }


class Fuzz:
    """The targets, made once."""

    def __init__(self) -> None:
        self.targets = _parts() | _functions()

    def case(self, number: int) -> Case:
        """Input number `number`."""
        rng = random.Random(number)
        target = rng.choice(sorted(self.targets))
        function, valid = self.targets[target]
        names = sorted(set(valid) | set(inspect.signature(function).parameters) - _LEFT_OUT)
        chosen = rng.sample(names, min(len(names), rng.choice([1, 1, 1, 2, 3])))
        return Case(target, {name: odd_value(rng) for name in chosen})

    def failure(self, case: Case) -> str:
        """The traceback of what should not have happened; "" where all is well."""
        function, valid = self.targets[case.target]
        try:
            arguments = valid | {name: value_of(text) for name, text in case.odd.items()}
            return self._wrong(function(**arguments), function, valid, arguments)
        except (InputError, Accepted):
            return ""
        except Exception:
            return traceback.format_exc(limit=-4)

    def _wrong(self, made: Any, function: Callable, valid: dict[str, Any], arguments: dict[str, Any]) -> str:
        """What is wrong with a part: it must travel, and be the same as from plain numbers."""
        if not inspect.isclass(function):
            return ""
        json.dumps(describe(made))
        hash(made)
        if pickle.loads(pickle.dumps(made)) != made:
            return "pickling changes it"
        plain = function(**{name: _plain(value) for name, value in arguments.items()})
        return "" if describe(plain) == describe(made) else f"from plain numbers it is {plain}, not {made}"


def main() -> None:
    engine.run_trials = engine.prepare = _never  # type: ignore[assignment]
    warnings.simplefilter("ignore")
    fuzz = Fuzz()
    if "planted" in sys.argv:
        fuzz.targets = {name: (_planted, {"x": 1}) for name in fuzz.targets}
    first, last = map(int, sys.argv[1:3])
    cases = [fuzz.case(number) for number in range(first, last)]
    if STORED.exists():
        cases += [Case(target, odd) for target, odd in json.loads(STORED.read_text(encoding="utf-8"))]
    for case in cases:
        failure = fuzz.failure(case)
        if failure:
            print(json.dumps([case.target, case.odd, failure]), flush=True)
    print(json.dumps(["done", {}, str(len(cases))]))


if __name__ == "__main__":
    main()
