"""Notebooks run from top to bottom, as code: what a reader executes works, and shows what it says."""

import json
import warnings
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("agg")
NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))


def code_of(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def ten_minutes(names):
    run = names["run"]
    assert run.table["model.psi_p"].unique().tolist() == [1, 2, 4]
    assert run.agree is not False
    assert "in all of" in run._repr_html_() or "Nothing contradicts" in run._repr_html_()
    assert [ax.get_ylabel() for ax in names["axes"]] == ["test error", "train error"]
    assert names["page"].count("<figure>") == 3


def which_is_wrong(names):
    """The size, the theory and me are each found out, and what is right is not rejected."""
    assert abs(names["small"].mean() - names["limit"]) > 4 * names["small"].sem()
    assert names["run"].agree is not False
    verdicts = names["both"].table.set_index("theory_name")["verdict"]
    assert not (verdicts["gaussian_equivalence"] == "disagree").any()
    assert (verdicts.drop("gaussian_equivalence") == "disagree").any()
    assert names["wrong"].agree is False
    assert names["right"].agree is not False
    assert abs(names["apart"](names["Mine"]())) > 10
    assert abs(names["apart"](names["Mine"](power=0.5))) < 4


def choose(names):
    found, table = names["found"], names["run"].table
    assert found.value < 0.95
    test = table[table["metric"] == "test"]
    assert test["estimate"].idxmin() == test.index[1]
    assert names["run"].agree is not False


READERS = {reader.__name__: reader for reader in (ten_minutes, which_is_wrong, choose)}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.heavy
def test_every_cell_runs(notebook):
    names = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in code_of(notebook):
            exec(compile(cell, notebook.name, "exec"), names)
    READERS[notebook.stem](names)
