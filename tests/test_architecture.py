"""Imports point one way, and each outside library has one home."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "simdiff"
FILES = sorted(ROOT.rglob("*.py"))

# room -> rooms of simdiff it may import from (itself always)
ALLOWED = {
    "errors": set(),
    "imports": {"errors"},
    "draws": set(),
    "proxy": {"errors"},
    "distances": {"errors"},
    "problem": {"errors"},
    "functions": {"errors", "imports"},
    "buckets": set(),
    "data": {"buckets", "draws", "errors", "functions"},
    "models": {"draws", "errors", "functions", "imports"},
    "trainers": {"draws", "errors"},
    "problems": {"buckets", "data", "models", "sampling", "trainers"}
    | {"draws", "errors", "functions", "problem"},
    "sampling": {"draws", "errors", "proxy"},
    "theory": {"errors", "imports", "problem", "proxy", "sampling"},
    "engine": {"errors", "problem"},
    "validation": {"errors"},
    "store": {"errors"},
    "plots": {"errors"},
    "wording": {"plots"},
    "report": {"errors", "plots", "wording"},
    "config": {"data", "models", "sampling", "trainers", "problems", "problem", "errors", "imports"},
    "collect": {"engine", "theory", "validation", "problem", "errors"},
    "verbs": {"collect", "engine", "theory", "validation", "problem", "errors"},
    "complexity": {"theory", "problem", "errors"},
    "stopping": {"complexity", "theory", "trainers", "problem", "errors"},
    "diagnosis": {"data", "draws", "functions", "models", "problems", "problem", "theory", "errors"},
    "progress": {"collect", "engine"},
    "regularisation": {"engine", "problems", "errors"},
    "spectra": {"engine", "problems", "theory", "errors"},
    "densities": {"distances", "problems", "sampling", "theory", "errors"},
    "ensemble_figures": {"collect", "densities", "plots", "problems", "proxy", "sampling", "errors"},
    "figures": {
        "collect",
        "complexity",
        "ensemble_figures",
        "problems",
        "spectra",
        "config",
        "theory",
        "store",
        "plots",
        "problem",
        "errors",
    },
    "commands": {"collect", "config", "engine", "figures", "progress", "report", "verbs", "wording"}
    | {"functions", "problem", "store", "theory", "validation", "errors"},
    "composition": {"commands", "config", "errors"},
    "launchers": {"errors"},
    "cluster": {"collect", "commands", "composition", "launchers", "store", "errors"},
    "cli": {"cluster", "commands", "composition", "errors"},
    "__init__": {
        *(
            "complexity",
            "data",
            "densities",
            "diagnosis",
            "errors",
            "functions",
            "models",
            "problem",
            "problems",
        ),
        *("proxy", "regularisation", "sampling", "spectra", "stopping", "trainers", "validation", "verbs"),
    },
}
HOMES = {name: {"composition", "launchers"} for name in ("hydra", "omegaconf")}
HOMES |= {"hydra_plugins": {"launchers"}, "submitit": {"launchers"}}
HOMES |= {"pyarrow": {"store"}, "matplotlib": {"plots"}}
HOMES |= {"sklearn": {"data"}}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def offences(path: Path) -> list[str]:
    room, found = room_of(path), []
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "simdiff" and len(parts) > 1:
            target = parts[1]
            known = (ROOT / target).exists() or (ROOT / f"{target}.py").exists()
            if known and target != room and target not in ALLOWED[room]:
                found.append(f"{room} imports {target}")
        elif room not in HOMES.get(parts[0], {room}):
            found.append(f"{room} imports {parts[0]}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    assert offences(path) == []


def test_every_room_has_a_rule():
    assert {room_of(path) for path in FILES} <= set(ALLOWED)


def test_an_offence_would_be_seen(tmp_path, monkeypatch):
    bad = ROOT / "theory" / "zz_never_written.py"
    monkeypatch.setattr(
        Path, "read_text", lambda self: "from simdiff.problems import denoising\nimport hydra\n"
    )
    assert sorted(offences(bad)) == [
        "theory imports hydra",
        "theory imports problems",
        "theory imports problems",
    ]
