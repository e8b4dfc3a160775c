"""The table of what was once said wrongly names tests that there are."""

import ast
import csv
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def rows() -> list[dict[str, str]]:
    with (ROOT / "results" / "quotable.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def missing(table: list[dict[str, str]]) -> list[str]:
    named = [row["test"].split("::") for row in table]
    return [name for path, name in named if not (ROOT / path).is_file() or name not in functions(path)]


def test_every_row_names_a_test():
    table = rows()
    assert {int(row["item"]) for row in table} == set(range(1, 16))
    assert all(row["input"] and row["before"] and row["after"] for row in table)
    assert missing(table) == []


def test_a_test_that_is_gone_would_be_noticed():
    assert missing([{"test": "tests/test_fuzz.py::test_nothing"}, {"test": "tests/no.py::test_x"}]) == [
        "test_nothing",
        "test_x",
    ]
