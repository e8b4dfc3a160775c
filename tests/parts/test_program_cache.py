"""Compiled programs kept on disk: quicker, shared, harmless when torn or out of reach."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import pandas as pd
import pytest
from toy_problems import Mean

import simdiff
from simdiff.engine.session import SESSION
from simdiff.errors import InputError
from simdiff.parts import program_cache
from simdiff.parts.program_cache import use_cache


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch):
    """JAX's own setting is put back afterwards."""
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    before = jax.config.jax_compilation_cache_dir
    yield monkeypatch
    jax.config.update("jax_compilation_cache_dir", before)


def trials(patch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Rows of trials whose program this process has not compiled yet."""
    patch.setattr(SESSION, "programs", {})
    jax.clear_caches()
    return simdiff.simulate(Mean(), d=24, trials=4).drop(columns="duration")


def test_results_are_those_without_a_cache_also_from_torn_entries(
    settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.setattr(program_cache, "_LEAST_SECONDS", 0.0)
    use_cache("off")
    without = trials(settings)
    use_cache(str(tmp_path))
    first = trials(settings)
    entries = {path: path.read_bytes() for path in tmp_path.rglob("jit_batch-*-cache")}
    assert len(entries) == 1
    pd.testing.assert_frame_equal(trials(settings), without)
    for path, content in entries.items():
        path.write_bytes(content[: len(content) // 2])
    pd.testing.assert_frame_equal(trials(settings), without)
    pd.testing.assert_frame_equal(first, without)


def test_where_programs_are_kept(settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    use_cache("auto")
    chosen = Path(jax.config.jax_compilation_cache_dir)
    assert chosen.parent == tmp_path / "user" / "simdiff"
    assert chosen.is_dir()
    settings.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "given"))
    use_cache("auto")
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "given")
    for off in ("off", False):
        use_cache(off)
        assert jax.config.jax_compilation_cache_dir is None


def test_a_folder_that_cannot_be_written_is_one_warning(settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(RuntimeWarning, match=r"compiled programs are not kept: .*file") as caught:
        use_cache(str(tmp_path / "file"))
    assert len(caught) == 1
    assert jax.config.jax_compilation_cache_dir is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        use_cache(str(tmp_path / "folder"))


@pytest.mark.parametrize("where", [3, "", None, True])
def test_other_values_are_refused(where: object) -> None:
    with pytest.raises(InputError, match="compilation_cache: got"):
        use_cache(where)


SESSION_OF_A_USER = """
import os, sys, jax, simdiff
{before}
simdiff.predict(simdiff.LinearSampling(psi_n=2.0))
print(jax.config.jax_compilation_cache_dir)
"""


@pytest.mark.parametrize(
    ("before", "environment", "kept"),
    [
        ("", {}, "user/simdiff"),
        ("", {"SIMDIFF_COMPILATION_CACHE": "off"}, "None"),
        ("", {"JAX_COMPILATION_CACHE_DIR": "{here}/theirs"}, "theirs"),
        ("jax.config.update('jax_compilation_cache_dir', sys.argv[1])", {}, "own"),
    ],
    ids=["default", "off", "environment", "their own"],
)
def test_the_python_interface_keeps_programs_too(tmp_path, before, environment, kept):
    given = {name: value.format(here=tmp_path) for name, value in environment.items()}
    words = [sys.executable, "-c", SESSION_OF_A_USER.format(before=before), str(tmp_path / "own")]
    where = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"} | given
    where["XDG_CACHE_HOME"] = str(tmp_path / "user")
    done = subprocess.run(words, env=where, capture_output=True, text=True, check=True)
    assert kept in done.stdout.strip().removeprefix(str(tmp_path))


def test_a_cache_that_grew_loses_what_was_not_used_for_longest(settings, tmp_path):
    settings.setattr(program_cache, "_MOST_BYTES", 1000)
    use_cache(str(tmp_path))
    folder = Path(jax.config.jax_compilation_cache_dir)
    for age in range(6):
        path = folder / f"program{age}-cache"
        path.write_bytes(bytes(200))
        os.utime(path, (1e9 - age, 1e9 - age))
    (folder / "notes.txt").write_bytes(bytes(5000))
    use_cache(str(tmp_path))
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "program0-cache", "program1-cache"]
    use_cache(str(tmp_path))
    assert len(list(folder.iterdir())) == 3
