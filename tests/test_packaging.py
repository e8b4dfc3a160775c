"""The wheel holds the whole program, configurations included, and the pinned versions cover it."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORT_NAMES = {
    "hydra-core": "hydra",
    "lazy-loader": "lazy_loader",
    "markdown-it-py": "markdown_it",
    "scikit-learn": "sklearn",
}
NEWEST_OLD_SETUPTOOLS = 76


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if int(importlib.metadata.version("setuptools").split(".")[0]) <= NEWEST_OLD_SETUPTOOLS:
        pytest.skip("building a wheel takes setuptools 77 or newer")
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("simdiff", "configs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", str(built), str(source)], check=True, timeout=120)
    return zipfile.ZipFile(next(built.glob("simdiff-*.whl")))


def test_the_wheel_holds_every_module_and_every_configuration(wheel):
    files = [path for path in (ROOT / "simdiff").rglob("*") if path.is_file()]
    modules = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    configs = {f"simdiff/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")}
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == modules | configs
    assert len(configs) > 8


def test_the_wheel_works_from_any_folder(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    code = (
        "from simdiff.cli import compose, main; print(compose.CONFIGS); raise SystemExit(main.main(['list']))"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(tmp_path / "site" / "simdiff" / "configs")
    for experiment in (ROOT / "configs" / "experiment").glob("*.yaml"):
        assert experiment.stem in done.stdout


def test_the_wheel_installs_the_command(wheel):
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "simdiff = simdiff.cli.main:main" in wheel.read(name).decode()


def distribution(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower()


def test_constraints_name_packages_and_versions_only_and_cover_what_is_installed():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", pin)] == []
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    assert {distribution(w) for w in wanted} <= {distribution(pin) for pin in pins}


def test_declared_dependencies_are_those_imported():
    declared = {IMPORT_NAMES.get(distribution(d), distribution(d)) for d in PROJECT["dependencies"]}
    trees = [ast.parse(path.read_text()) for path in (ROOT / "simdiff").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    imported = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"simdiff"}
    assert imported - OPTIONAL == declared - WITHOUT_IMPORT


WITHOUT_IMPORT = {"flatbuffers"}
"""What jax.export writes programs with, and JAX itself does not install."""

OPTIONAL = {"flax", "submitit"}
"""What the extras "networks" and "cluster" bring: imported only when a module or a launcher asks for it."""
