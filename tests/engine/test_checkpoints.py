"""Trials that are killed in the middle of training and taken up again end with the same curve, to the bit."""

import functools
import itertools
import math
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from dying_keeper import FACTS, DyingKeeper, Killed, curve_of, often_kept, undisturbed

import simdiff
from simdiff.engine import Session, use_checkpoints
from simdiff.engine.staged_program import runs_in_windows
from simdiff.engine.windows import Windows
from simdiff.errors import InputError
from simdiff.store import RunFolder

D, STEPS = 8, 40
FIRST = 2
"""Steps of the first window."""


def init(key, d, p):
    first, second = jax.random.split(key)
    return {"w": jax.random.normal(first, (p, d)), "a": jax.random.normal(second, (d, p))}


def apply(params, x):
    hidden = jnp.tanh(params["w"] @ x / jnp.sqrt(x.size))
    return params["a"] @ hidden / jnp.sqrt(hidden.size)


def problem(steps):
    network = simdiff.models.Network(init, apply, predicts="noise", psi_p=2.0)
    trainer = simdiff.trainers.Optax(OPTIMISER, steps=steps, records=4, batch=8)
    return simdiff.DenoisingScoreMatching(model=network, trainer=trainer, psi_n=2.0, m=2)


OPTIMISER = optax.chain(optax.add_noise(1e-3, 0.5, 7), optax.sgd(0.01, momentum=0.9))
"""It holds a key of random numbers."""
PROBLEM = problem(STEPS)


curve = functools.partial(curve_of, PROBLEM, D)


@pytest.fixture(scope="module")
def often():
    return often_kept()


@pytest.fixture(scope="module")
def whole(often):
    return undisturbed(often, curve)


@pytest.mark.heavy
def test_windows_end_with_the_curve_of_a_program_without_any(whole):
    np.testing.assert_array_equal(curve(Session()), whole)


def test_killed_at_five_moments_it_ends_with_the_same_curve(often, whole, tmp_path):
    moments, steps = random.Random(1), [0]
    for _ in range(5):
        keeper = DyingKeeper(tmp_path, moments.randint(1, 5))
        with pytest.raises(Killed):
            curve(often, keeper)
        assert keeper.steps[0] == steps[-1] + FIRST  # it went on where the last one was
        steps += keeper.steps
    np.testing.assert_array_equal(curve(often, DyingKeeper(tmp_path)), whole)
    assert STEPS > steps[-1] > STEPS / 3
    assert not list(tmp_path.glob("trials/*/*.npz"))


def test_a_state_that_is_off_by_rounding_would_be_seen(often, whole, tmp_path):
    with pytest.raises(Killed):
        curve(often, DyingKeeper(tmp_path, 3))
    (file,) = tmp_path.glob("trials/*/*.npz")
    with np.load(file) as kept:
        arrays = dict(kept)
    arrays["0"][::4] ^= 1  # the last bit of every number
    np.savez(file, **arrays)
    assert not np.array_equal(curve(often, DyingKeeper(tmp_path)), whole)


def test_that_of_other_numbers_is_told_of_and_not_used(often, whole, tmp_path):
    with pytest.raises(Killed):
        curve(often, DyingKeeper(tmp_path, 3), seed=4)
    (file,) = tmp_path.glob("trials/*/*.npz")
    file.rename(file.with_name(file.name.replace("s4", "s3")))
    keeper = DyingKeeper(tmp_path)
    with pytest.warns(RuntimeWarning, match="it is of another seed; its trials begin anew"):
        np.testing.assert_array_equal(curve(often, keeper), whole)


def test_windows_come_to_take_the_period_each():
    now = [0.0]
    windows, due = Windows(60.0, 10, lambda: now[0]), []
    for seconds in (1.0, 4.0, 16.0, 128.0, 60.0):
        windows.timed(lambda seconds=seconds: now.append(now.pop() + seconds))
        due.append((windows.steps, windows.due()))
    assert due == [(40, False), (160, False), (600, False), (281, True), (281, True)]
    assert windows.spent == 209.0


IDENTITY = {"problem": "x", "d": 4, "trials": [0, 1]}
OTHERS = {
    "problem": (IDENTITY | {"problem": "y"}, FACTS),
    "trials": (IDENTITY | {"trials": [0]}, FACTS),
    "commit": (IDENTITY, {"commit": "b"}),
    "jax": (IDENTITY | {"jax": "1"}, FACTS),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_identity_is_refused(name, tmp_path):
    folder = RunFolder(tmp_path)
    folder.checkpoints("p", FACTS).save("d4-s0-0-1", IDENTITY, {"0": np.arange(3)})
    identity, facts = OTHERS[name]
    with pytest.warns(RuntimeWarning, match=f"is not used: it is of another {name}"):
        assert folder.checkpoints("p", facts).load("d4-s0-0-1", identity) is None
    found = folder.checkpoints("p", FACTS).load("d4-s0-0-1", IDENTITY)
    assert {name: list(array) for name, array in found.items()} == {"0": [0, 1, 2]}


def test_a_torn_file_is_told_of_and_not_used(tmp_path):
    keeper = RunFolder(tmp_path).checkpoints("p", FACTS)
    keeper.save("d4-s0-0-1", IDENTITY, {"0": np.arange(300)})
    (file,) = tmp_path.glob("trials/p/*.npz")
    content = file.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    for torn in (content[:-1], content[:100], b"", b"text", flipped):
        file.write_bytes(torn)
        with pytest.warns(RuntimeWarning, match="is not used: it is torn"):
            assert keeper.load("d4-s0-0-1", IDENTITY) is None
    assert keeper.load("d4-s0-2-3", IDENTITY) is None


def test_what_a_killed_process_left_of_stored_trials_goes(tmp_path):
    keeper = RunFolder(tmp_path).checkpoints("p", FACTS)
    for name in ("d4-s0-0-1", "d4-s0-2-3", "d4-s1-0-1"):
        keeper.save(name, IDENTITY, {})
    keeper.clear(4, 0, {0, 1, 2})
    assert {path.stem for path in tmp_path.glob("trials/p/*.npz")} == {"d4-s0-2-3", "d4-s1-0-1"}


def test_only_long_trials_run_in_windows_unless_it_is_asked_for(often):
    short, long = PROBLEM, problem(10**9)
    kinds = [runs_in_windows(each, D, each.kernel(D)[0], Session()) for each in (short, long)]
    assert kinds == [False, True]
    assert runs_in_windows(short, D, short.kernel(D)[0], often)
    ridge = simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(2.0), psi_n=2.0)
    assert not runs_in_windows(ridge, D, ridge.kernel(D)[0], often)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, "often"])
def test_a_period_that_is_none_is_refused(seconds):
    with pytest.raises(InputError, match="checkpoint: got"):
        use_checkpoints(seconds, Session())


@pytest.mark.heavy
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_processes_that_are_killed_while_they_train(tmp_path):
    """Five are killed at random moments after they have kept a state of their own; the last one ends."""
    (tmp_path / "mlp.py").write_text("import jax, jax.numpy as jnp\n" + _source(init) + _source(apply))
    words = ["run", "model=network", "model.init=mlp.py:init", "model.apply=mlp.py:apply", "model.psi_p=2"]
    words += ["psi_n=2", "model.predicts=noise", "trainer=optax", "trainer.steps=20000", "trainer.batch=64"]
    words += ["trainer.records=5", "sizes=[24,32]", "max_trials=4", "figure.kind=none", "precision=0.9"]
    words += ["compilation_cache=cache"]
    command = [sys.executable, "-m", "simdiff.cli", *words]
    moments, steps = random.Random(2), []
    for _ in range(5):
        with subprocess.Popen([*command, "checkpoint=0.3", "out=killed"], cwd=tmp_path) as process:
            begun = time.time()
            while process.poll() is None and not _kept_since(tmp_path / "killed", begun):
                time.sleep(0.02)
            time.sleep(moments.uniform(0, 0.6))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        steps.append(_progress(tmp_path / "killed"))
    assert all(later > earlier for earlier, later in itertools.pairwise(steps)), steps
    for end in (["checkpoint=0.3", "out=killed"], ["out=whole"]):
        assert subprocess.run([*command, *end], cwd=tmp_path, timeout=300).returncode == 0
    rows = [RunFolder(tmp_path / out).trials().drop(columns="duration") for out in ("killed", "whole")]
    pd.testing.assert_frame_equal(*rows, check_exact=True)
    assert not list(tmp_path.glob("killed/trials/*/*.npz"))


def _source(function):
    import inspect

    return inspect.getsource(function) + "\n"


def _kept_since(folder: Path, moment: float) -> bool:
    return any(path.stat().st_mtime > moment for path in folder.glob("trials/*/d*.npz"))


def _progress(folder: Path) -> tuple[int, int]:
    """(trials that are stored, steps of those under way)."""
    stored = sum(1 for _ in folder.glob("trials/*/d*.parquet"))
    files = list(folder.glob("trials/*/d*.npz"))
    return stored, sum(int(np.load(path)["step"]) for path in files)
