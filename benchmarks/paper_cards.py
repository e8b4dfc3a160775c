"""Every paper card's verdicts: the sweeps of `simdiff list papers`, run as they are.

    python benchmarks/paper_cards.py [CARD ...]     # default: all of them

Stored: results/papers/verdicts.csv (one row per card), results/papers/comparisons.csv (one row per
comparison) and results/papers/verdicts.json. Cards that are not named keep their rows. docs/papers.md shows
the first table; a test compares the two.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from common import RESULTS, facts, store

from simdiff.cli import main as cli
from simdiff.cli.papers import cards
from simdiff.store import RunFolder

FOLDER = RESULTS / "papers"
WORDS = ("agree", "disagree", "inconclusive")
COMPARED = ["metric", "time", "theory", "estimate", "stderr", "p_value", "verdict"]


def run(name: str, out: Path) -> tuple[dict[str, object], pd.DataFrame]:
    """The card's row, and its comparisons with the parameters in which they differ."""
    start = time.perf_counter()
    if status := cli.main(["run", f"experiment={name}", f"out={out}"]):
        raise SystemExit(status)
    summary = RunFolder(out, create=False).read_table("summary")
    counts = summary["verdict"].value_counts()
    row: dict[str, object] = {"card": name, "comparisons": len(summary)}
    row |= {word: int(counts.get(word, 0)) for word in WORDS}
    row["other"] = len(summary) - sum(int(counts.get(word, 0)) for word in WORDS)
    relative = ((summary["estimate"] - summary["theory"]) / summary["theory"]).abs()
    row |= {"median |deviation|": relative.median(), "seconds": round(time.perf_counter() - start)}
    swept = [c for c in summary if c.startswith(("model.", "data", "trainer.", "schedule.", "psi_n"))]
    swept += [c for c in ("m", "P", "generations") if c in summary]
    kept = summary[[c for c in [*swept, *COMPARED] if c in summary]]
    return row, kept.assign(card=name)


def merged(name: str, new: pd.DataFrame) -> pd.DataFrame:
    """The stored table with the rows of the cards that were run replaced."""
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return new
    old = pd.read_csv(path)
    found = pd.concat([old[~old["card"].isin(new["card"])], new], ignore_index=True)
    return found.sort_values("card", kind="stable")


def main(names: list[str]) -> None:
    """Run, merge, store, card by card."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    about = facts("python benchmarks/paper_cards.py", seed=0, rule="the default, with each card's precision")
    for name in names or cards():
        with tempfile.TemporaryDirectory() as folder:
            row, compared = run(name, Path(folder) / name.replace("/", "-"))
        whole = merged("comparisons", compared)
        whole = whole[["card", *(c for c in whole if c != "card")]]
        whole.to_csv(FOLDER / "comparisons.csv", index=False, float_format="%.6g")
        store("papers/verdicts", merged("verdicts", pd.DataFrame([row])), about)


if __name__ == "__main__":
    main(sys.argv[1:])
