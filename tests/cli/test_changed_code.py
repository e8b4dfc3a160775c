"""After an edit of the user's code a run says so and mixes no trials, and a report tells of theories."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from simdiff.cli import main as cli
from simdiff.store import RunFolder

HERE = Path(__file__).parent.parent
RUN = [
    "run",
    "problem=edited:Mean",
    "theory=edited:mean_theory",
    "sizes=[20,40,80]",
    "precision=0.5",
    "out=x",
]
RUN += ["figure.kind=none"]


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """Replace a text in the user's file, and forget what was imported from it."""
    shutil.copy(HERE / "toy_problems.py", tmp_path / "edited.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def edit(old="", new=""):
        path = tmp_path / "edited.py"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
        monkeypatch.delitem(sys.modules, "edited", raising=False)

    edit()
    yield edit
    sys.modules.pop("edited", None)


def run(capsys):
    assert cli.main(RUN) == 0
    return capsys.readouterr().err, RunFolder("x").trials()


def test_trials_of_edited_code_are_left_alone_and_named_in_one_line(edited, capsys):
    said, first = run(capsys)
    assert "code" not in said
    edited("a number", "some number")
    said, again = run(capsys)
    assert "code" not in said
    assert len(again) == len(first)
    edited("self.slope / d", "self.slope / d**2")
    said, both = run(capsys)
    (old,) = set(first["point"])
    trials = first[["d", "trial"]].drop_duplicates().shape[0]
    line = f"the code of Mean has changed: {trials} trials of point {old} stay in the folder and are not used"
    assert [text for text in said.splitlines() if "code" in text] == [line]
    assert line in Path("x/report.md").read_text()
    assert both["point"].nunique() == 2
    new = both[both["point"] != old].set_index(["d", "trial"])["value"]
    kept = both[both["point"] == old].set_index(["d", "trial"])["value"]
    common = new.index.intersection(kept.index)
    d = common.get_level_values("d").to_numpy()
    expected = kept[common].to_numpy() - 3 / d + 3 / d**2  # the same draws
    assert new[common].to_numpy() == pytest.approx(expected, rel=1e-12)


def test_a_report_tells_that_the_theory_has_changed(edited, capsys):
    run(capsys)
    assert "theory has changed" not in Path("x/report.md").read_text()
    (entry,) = json.loads(Path("x/theories.json").read_text())
    assert entry["theory"] == "edited:mean_theory"
    edited('return {"value": problem.level, ', 'return {"value": 1.0001 * problem.level, ')
    assert cli.main(["report", *RUN[1:]]) == 0
    codes = [entry["code"] for entry in json.loads(Path("x/theories.json").read_text())]
    assert len({*codes}) == 2
    text = Path("x/report.md").read_text()
    assert "the theory has changed: " in text
    assert all(code in text for code in codes)


def test_settings_and_code_are_stored_with_rows(edited, capsys):
    _, rows = run(capsys)
    assert json.loads(rows["settings"][0])["jax"]["threefry_partitionable"] is True
    assert list(json.loads(rows["problem"][0])["digits of the user's code"]) == ["Mean"]
