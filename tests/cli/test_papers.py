"""Paper cards: what each follows and claims, and where its parameters are from; one page has the verdicts."""

import re
from pathlib import Path

import pandas as pd
import pytest

from simdiff.cli import main as cli
from simdiff.cli.papers import cards

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "papers.md").read_text()
STORED = pd.read_csv(ROOT / "results" / "papers" / "verdicts.csv")


@pytest.mark.parametrize("name", cards())
def test_a_card_has_paper_claim_and_sources(name):
    card = cards()[name]
    assert set(card) == {"paper", "claim", "parameters"}
    assert card["paper"] == f"arXiv {name.split('/')[1]}"
    assert card["claim"].strip().endswith(".")
    for parameter, source in card["parameters"].items():
        assert re.search(r"\b(stated|those stated|the paper's setting|assumed)$", source), parameter


def test_all_are_listed(capsys):
    assert cli.main(["list", "papers"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("experiment=")] == [
        f"experiment={name}" for name in cards()
    ]
    assert max(map(len, out.splitlines())) <= 100
    assert cli.main(["list", "figures"]) == 2
    assert "allowed: papers" in capsys.readouterr().err


def test_the_claim_is_in_the_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [
        "experiment=papers/2505.24769/kl",
        "psi_n=4",
        "sizes=[8,12]",
        "precision=0.9",
        "figure.kind=none",
    ]
    assert cli.main(["run", *words, "out=run"]) == 0
    claim = " ".join(cards()["papers/2505.24769/kl"]["claim"].split())
    for name in ("report.md", "report.html"):
        assert claim in (tmp_path / "run" / name).read_text()
    assert cli.main(["run", *words, "card=7", "out=other"]) == 2
    assert "card: got 7" in capsys.readouterr().err


def test_the_page_shows_every_card_and_the_stored_verdicts():
    rows = re.findall(r"^\| `papers/(\S+)` \| (.*) \|$", PAGE, re.MULTILINE)
    shown = {f"papers/{name}": text.split(" | ")[1:] for name, text in rows}
    columns = ["comparisons", "agree", "disagree", "inconclusive"]
    stored = {row["card"]: [str(row[name]) for name in columns] for _, row in STORED.iterrows()}
    assert list(shown) == list(cards())
    assert {name: counts for name, counts in shown.items() if counts[0] != "not run yet"} == stored
