"""Compiled programs kept on disk: quicker, shared, harmless when torn or out of reach."""

from __future__ import annotations

import warnings
from pathlib import Path

import jax
import pandas as pd
import pytest
from toy_problems import Mean

import simdiff
from simdiff.engine import program_cache
from simdiff.engine.program_cache import use_cache
from simdiff.engine.session import SESSION
from simdiff.errors import InputError


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
