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


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.heavy
def test_every_cell_runs(notebook):
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in code_of(notebook):
            exec(compile(cell, notebook.name, "exec"), names)
    assert len(code_of(notebook)) == 6
    run = names["run"]
    assert run.table["model.psi_p"].unique().tolist() == [1, 2, 4]
    assert run.agree is not False
    assert "in all of" in run._repr_html_() or "Nothing contradicts" in run._repr_html_()
    assert [ax.get_ylabel() for ax in names["axes"]] == ["test error", "train error"]
    assert names["page"].count("<figure>") == 3
