"""Versions, commit and date."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simdiff.store import commit, iso_date, machine, provenance, versions, versions_text


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_versions_name_the_packages_that_decide_the_numbers() -> None:
    found = versions()
    assert set(found) == {"simdiff", "jax", "jaxlib", "numpy", "optax", "python"}
    assert found["numpy"] == np.__version__
    assert found["python"] == sys.version.split()[0]
    found["numpy"] = "0"
    assert versions()["numpy"] == np.__version__
    assert versions_text() is versions_text()


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-package",))
    assert provenance.versions_text.__wrapped__().startswith('{"no-such-package": ""')


def test_commit_of_a_checkout_and_its_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.py").write_text("a = 1\n")
    assert provenance.commit_of(package) == ""
    git(tmp_path, "init")
    assert provenance.commit_of(package) == ""
    git(tmp_path, "add", ".")
    assert provenance.commit_of(package) == ""
    git(tmp_path, "commit", "-m", "first", "--no-verify")
    head = git(tmp_path, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert provenance.commit_of(package) == head
    (tmp_path / "results.csv").write_text("1")
    assert provenance.commit_of(package) == head
    (package / "a.py").write_text("a = 2\n")
    assert provenance.commit_of(package) == head + "-dirty"


def test_a_copy_installed_inside_a_checkout_has_no_commit(tmp_path: Path) -> None:
    installed = tmp_path / ".venv" / "package"
    installed.mkdir(parents=True)
    (installed / "a.py").write_text("a = 1\n")
    (tmp_path / "b.py").write_text("")
    git(tmp_path, "init")
    git(tmp_path, "add", "b.py")
    git(tmp_path, "commit", "-m", "first", "--no-verify")
    assert provenance.commit_of(installed) == ""
    assert provenance.commit_of(tmp_path) != ""


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit_of(Path(__file__).parent) == ""


def test_commit_starts_processes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = commit()

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(subprocess, "run", forbidden)
    assert commit() == first


def test_the_store_reads_versions_without_importing_jax() -> None:
    source = Path(provenance.__file__).read_text()
    code = f"import sys; __file__ = {provenance.__file__!r}; exec({source!r}); versions()"
    code += "; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_dates_are_utc_to_the_second() -> None:
    date = datetime.datetime.fromisoformat(iso_date())
    assert date.utcoffset() == datetime.timedelta(0)
    assert abs(datetime.datetime.now(datetime.UTC) - date) < datetime.timedelta(minutes=1)
    assert machine().count("-") >= 2
