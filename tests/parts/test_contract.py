"""One contract for every registered part: what each states of itself, and what follows from it."""

import copy
import dataclasses
import inspect
import json
import math
from pathlib import Path

import numpy as np
import pytest

import simdiff
from simdiff.identity.description import describe
from simdiff.parts import registry
from simdiff.parts.build import KINDS, build_problem
from simdiff.parts.vary import arguments
from simdiff.problems.denoising.dispatch import evaluator, feature_map, trial_kernel
from simdiff.theory import load, names

GIVEN = {"images": "path", "function_features": "function", "network": "init"}
"""Parts that have an argument of the user's own, which no default can stand for."""

PARTS = [
    (kind, name)
    for kind in KINDS
    for name in registry.parts(kind)
    if name != "none"
    and name not in GIVEN
    and registry.parts(kind)[name].factory.__module__.startswith("simdiff.")
]


def built(kind, name):
    entry = registry.parts(kind)[name].entry
    return registry.parts(kind)[name].factory(**{k: plain(v) for k, v in entry.items() if k != "type"})


def plain(value):
    if isinstance(value, list):
        return tuple(map(plain, value))
    return math.inf if value == "inf" else value


def of(kind):
    return [name for each, name in PARTS if each == kind]


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_a_part_is_built_from_its_entry_and_says_what_it_is(kind, name):
    part = built(kind, name)
    entry = registry.parts(kind)[name].entry
    assert json.loads(json.dumps(entry)) == entry
    assert entry["type"] == type(part).__name__
    assert describe(part)["type"] == type(part).__name__
    assert inspect.getdoc(type(part))
    assert dataclasses.is_dataclass(part)
    assert part.__dataclass_params__.frozen


def test_a_problem_that_registers_is_imported_with_its_room():
    """Else `problem=` does not know it unless something else has imported it before."""
    room = Path(inspect.getfile(simdiff.problems)).parent
    modules = [
        ".".join(("simdiff.problems", *file.relative_to(room).with_suffix("").parts))
        for file in room.rglob("*.py")
        if '@register("problem"' in file.read_text()
    ]
    imported = (room / "__init__.py").read_text()
    assert len(modules) > 5
    assert [module for module in modules if f"from {module} import" not in imported] == []


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_equal_parts_are_equal_hashable_and_made_again_from_their_arguments(kind, name):
    part, twin = built(kind, name), built(kind, name)
    assert part == twin
    assert hash(part) == hash(twin)
    assert describe(type(part)(**arguments(part))) == describe(part)
    assert copy.copy(part) == part


@pytest.mark.parametrize("name", [name for name in of("data") if name != "point_masses"])
def test_a_data_law_has_a_spectrum_a_sampler_and_an_evaluator(name):
    law = built("data", name)
    d = law.only_size or 12
    values, weights = law.at_size(d).spectrum()
    assert values.shape == weights.shape
    assert weights.sum() == pytest.approx(1)
    assert values.min() >= 0
    assert evaluator.dispatch(type(law.sampler(d))) is not evaluator.dispatch(object)
    assert law.sampler(d) == law.sampler(d)
    assert all(isinstance(value, np.ndarray | np.generic) for value in law.inputs(d).values())
    problem = simdiff.DenoisingScoreMatching(data=law)
    assert ("score" in [metric.name for metric in problem.metrics]) == law.knows_score


@pytest.mark.parametrize("name", of("trainer"))
def test_a_trainer_states_its_facts_and_has_a_kernel(name):
    trainer = built("trainer", name)
    assert trainer.solution in ("minimum", "path", None)
    assert trainer.smallest_scale > 0
    assert trial_kernel.dispatch(type(trainer)) is not trial_kernel.dispatch(object)
    problem = simdiff.DenoisingScoreMatching(trainer=trainer)
    assert problem.times == trainer.recorded
    kernel, inputs = problem.kernel(16)
    assert isinstance(kernel, simdiff.problem.Kernel)
    assert (kernel, sorted(inputs)) == (problem.kernel(16)[0], sorted(problem.kernel(16)[1]))
    if problem.shares_rows(16):
        assert isinstance(kernel.shared(2), type(kernel))
    if trainer.splits:
        assert problem.split_memory(64, 4) < problem.memory(64)
        assert isinstance(kernel.split(2), type(kernel))


@pytest.mark.parametrize("name", ["linear", "random_features"])
def test_a_score_network_has_a_feature_map_and_theories(name):
    model = built("model", name)
    assert feature_map.dispatch(type(model)) is not feature_map.dispatch(object)
    assert {model.theory, model.path_theory} <= {*names()}
    assert model.at_size(10).width(10) == model.width(10)


@pytest.mark.parametrize("name", names())
def test_a_theory_is_found_by_name_and_says_what_it_is_for(name):
    theory = load(name, None)
    assert callable(theory)
    assert inspect.getdoc(theory)


@pytest.mark.parametrize("name", [name for name in registry.parts("problem") if name != "ensemble_sampling"])
def test_a_problem_is_built_described_and_declares_each_metric_once(name):
    problem = build_problem({"problem": name})
    declared = [metric.name for metric in problem.metrics]
    assert len(declared) == len(set(declared))
    assert all(metric.meaning for metric in problem.metrics)
    assert problem.digest() == build_problem({"problem": name}).digest()
    if problem.default_theory is not None:
        assert set(simdiff.predict(problem)) <= set(declared)


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match=r"trainer=ridge: .*Ridge is registered"):
        registry.register("trainer", "ridge")(type("Another", (), {"__module__": "elsewhere"}))
    with pytest.raises(ValueError, match=r"Ridge is registered"):
        registry.register("trainer", "other")(type("Ridge", (), {"__module__": "elsewhere"}))
