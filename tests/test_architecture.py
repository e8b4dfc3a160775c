"""Imports point one way, and each outside library has one home."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "simdiff"
FILES = sorted([*ROOT.rglob("*.py"), *ROOT.rglob("*.pyi")])

CONTRACTS = {"errors", "identity", "problem"}
PARTS = {"data", "functions", "models", "parts", "trainers"}

# room -> rooms of simdiff it may import from (itself always). A room of a vertical, such as
# "theory/ensemble", may import what its parent may and, of its siblings, those named here.
ALLOWED = {
    "errors": set(),
    "identity": {"errors"},
    "problem": {"errors", "identity"},
    "engine": {"parts", *CONTRACTS},
    "parts": CONTRACTS,
    "functions": {"parts", *CONTRACTS},
    "data": {"engine", "functions", "parts", *CONTRACTS},
    "models": {"engine", "functions", "parts", *CONTRACTS},
    "trainers": {"engine", "parts", *CONTRACTS},
    "sampling": {"engine", "parts", *CONTRACTS},
    "problems": {"engine", "sampling", *PARTS, *CONTRACTS},
    "problems/denoising": set(),
    "problems/generations": set(),
    "problems/linear_chain": set(),
    "problems/network_sampling": set(),
    "problems/empirical_score": set(),
    "problems/ensemble": set(),
    "problems/difference": set(),
    "theory": {"functions", "parts", "sampling", *CONTRACTS},
    "theory/numerics": set(),
    "theory/denoising": {"theory/numerics"},
    "theory/linear_denoiser": {"theory/denoising", "theory/numerics"},
    "theory/linear_chain": {"theory/denoising", "theory/numerics"},
    "theory/empirical_score": {"theory/numerics"},
    "theory/ensemble": {"theory/numerics"},
    "theory/generations": {"theory/denoising"},
    "theory/leave_one_out": {"theory/denoising", "theory/linear_chain", "theory/numerics"},
    "theory/mixed_gaussians": {
        "theory/denoising",
        "theory/leave_one_out",
        "theory/linear_chain",
        "theory/numerics",
    },
    "validation": {"engine", "theory", *CONTRACTS},
    "store": {"errors"},
    "analysis": {"engine", "problems", "sampling", "theory", *PARTS, *CONTRACTS},
    "api": {"engine", "parts", "store", "theory", "validation", *CONTRACTS},
    "report": {"analysis", "engine", "parts", "problems", "sampling", "store", "theory", "validation"}
    | CONTRACTS,
    "run": {"api", "engine", "parts", "problems", "report", "store", "theory", "validation", *CONTRACTS},
    "cli": {"api", "engine", "functions", "parts", "problems", "report", "run", "store", "theory"}
    | {"validation", *CONTRACTS},
    "__init__": {
        "analysis",
        "engine",
        "theory",
        "api",
        "problems",
        "run",
        "sampling",
        "validation",
        *PARTS,
        *CONTRACTS,
    },
}
HOMES = {
    "hydra": "cli",
    "joblib": "cli",
    "omegaconf": "cli",
    "submitit": "cli",
    "pyarrow": "store",
    "matplotlib": "report",
    "sklearn": "data",
}


def room_of(path: Path) -> str:
    """The deepest room that has a rule: "theory/ensemble", "data", "errors"."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return room_named(parts)


def room_named(parts: tuple[str, ...]) -> str:
    two = "/".join(parts[:2])
    return two if two in ALLOWED else parts[0]


def may_import(room: str) -> set[str]:
    parent, _, child = room.partition("/")
    return ALLOWED[room] | {room} | (ALLOWED[parent] if child else set())


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = absolute(path, node)
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def absolute(path: Path, node: ast.ImportFrom) -> str:
    """The module named; the fronts of rooms, which are read at import, name theirs relatively."""
    assert node.level == (path.suffix == ".pyi"), f"{path}: relative import"
    package = path.relative_to(ROOT.parent).parent.parts if node.level else ()
    return ".".join([*package, *([node.module] if node.module else [])])


def offences(path: Path) -> list[str]:
    room, found = room_of(path), set()
    for name in imported(path):
        parts = tuple(name.split("."))
        if parts[0] != "simdiff":
            if room.split("/")[0] != HOMES.get(parts[0], room.split("/")[0]):
                found.add(f"{room} imports {parts[0]}")
        elif len(parts) > 1 and known(parts[1]):
            target = room_named(parts[1:])
            inner = target == room.partition("/")[0]  # what all rooms of a vertical share
            if not inner and not {target, target.split("/")[0]} & may_import(room):
                found.add(f"{room} imports {target}")
    return sorted(found)


def known(name: str) -> bool:
    return (ROOT / name).exists() or (ROOT / f"{name}.py").exists()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    assert offences(path) == []


def test_no_file_is_long():
    long = {
        str(path.relative_to(ROOT)): n for path in FILES if (n := len(path.read_text().splitlines())) > 350
    }
    assert long == {}


def test_every_room_has_a_rule():
    assert {room_of(path) for path in FILES} <= set(ALLOWED)
    loose = {path.stem for path in ROOT.glob("*.py")}
    assert loose == {"__init__", "api", "errors", "problem"}


PLANTED = {
    "theory/denoising/zz.py": ("import simdiff.problems", "problems"),
    "theory/denoising/zy.py": ("from simdiff.problems.denoising import gram", "problems/denoising"),
    "theory/ensemble/zz.py": ("from simdiff.engine import keys", "engine"),
    "theory/numerics/zz.py": ("import simdiff.theory.denoising.inputs", "theory/denoising"),
    "theory/ensemble/zy.py": ("import simdiff.theory.linear_chain.one_point", "theory/linear_chain"),
    "problems/ensemble/zz.py": ("import simdiff.problems.denoising.gram", "problems/denoising"),
    "problems/denoising/zz.py": ("from simdiff import theory", "theory"),
    "engine/zz.py": ("from simdiff.data import Gaussian", "data"),
    "data/zz.py": ("from simdiff import problems", "problems"),
    "validation/zz.py": ("from simdiff.problems import LinearSampling", "problems"),
    "store/zz.py": ("from simdiff import engine", "engine"),
    "report/zz.py": ("import simdiff.cli.main", "cli"),
    "report/zx.py": ("from simdiff.run.run import Run", "run"),
    "run/zz.py": ("from simdiff.cli.main import main", "cli"),
    "api.py": ("from simdiff.report import text", "report"),
    "report/zy.py": ("import hydra", "hydra"),
    "cli/zz.py": ("import pyarrow.parquet", "pyarrow"),
    "engine/zy.py": ("from matplotlib import pyplot", "matplotlib"),
    "theory/denoising/zx.py": ("import sklearn", "sklearn"),
}


@pytest.mark.parametrize("place", PLANTED)
def test_an_offence_would_be_seen(place, monkeypatch):
    text, target = PLANTED[place]
    monkeypatch.setattr(Path, "read_text", lambda self: text)
    room = room_of(ROOT / place)
    assert f"{room} imports {target}" in offences(ROOT / place)
