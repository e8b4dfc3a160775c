"""The site: it builds without a warning, and its pages name every figure and every theory that there is."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simdiff.theory.loader import names

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_gallery_shows_every_figure_with_a_command():
    gallery = (DOCS / "gallery.md").read_text()
    shown = {*re.findall(r"\]\(\.\./(results/\S+\.png)\)", gallery)}
    assert shown == {path.relative_to(ROOT).as_posix() for path in (ROOT / "results").rglob("*.png")}
    for section in re.split(r"^## ", gallery, flags=re.MULTILINE)[1:]:
        assert re.search(r"^`(python benchmarks/|simdiff run )", section, re.MULTILINE), section


def test_every_theory_has_a_status_and_its_tables_exist():
    rows = [
        line.split("|")
        for line in (DOCS / "theories.md").read_text().splitlines()
        if line[:3] == "| `" and "=" not in line[:12]
    ]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert named == {*names()}
    for row in rows:
        assert re.search("theorem|exact|heuristic|expansion|conjecture|order|that of|as `", row[3]), row
        for table in re.findall(r"`(\w+)`", row[4]):
            assert (ROOT / "results" / f"{table}.csv").exists(), table


def test_every_page_is_in_the_navigation():
    listed = {*re.findall(r": (\S+\.(?:md|ipynb))$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)}
    written = {p.relative_to(DOCS).as_posix() for p in (*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb"))}
    assert listed == written | {"index.md", "contributing.md", "changelog.md", "results/README.md"}


@pytest.mark.skipif(importlib.util.find_spec("mkdocs_jupyter") is None, reason="mkdocs is not installed")
@pytest.mark.heavy
def test_it_builds(tmp_path):
    """Strictly: a link that leads nowhere is an error. Names of a server would need a network."""
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "index.html").read_text()
    assert "results/gaussian_learning_curve/curves.png" in first
    assert not re.search(r'<(script|link)[^>]*(src|href)="https?://(?!squidfunk)', first)
    assert "precision" in (tmp_path / "api" / "main.html").read_text()
