"""What is said where the user's own code has changed since trials or reports were stored."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from simdiff.identity.fingerprint import fingerprint
from simdiff.problem import Problem
from simdiff.store import RunFolder, iso_date
from simdiff.validation.study import Study

CODE = "digits of the user's code"
"""The entry of a stored description that tells code; descriptions of simdiff's own problems have none."""

THEORIES = "theories.json"


def description(problem: Problem) -> str:
    """A problem as its rows store it: its description, and digits of the user's code in it."""
    code = problem.code()
    return json.dumps(problem.describe() | ({CODE: code} if code else {}), sort_keys=True)


def changed_problems(studies: Collection[Study], folder: RunFolder) -> list[str]:
    """A line for each study whose folder has trials of the same description and other code."""
    rows = folder.trials()
    stored = rows[["point", "problem"]].drop_duplicates().itertuples(index=False)
    known = [(str(point), *_parts(str(text))) for point, text in stored]
    lines = []
    for study in studies:
        fields, code = _parts(description(study.problem))
        for point, other, former in known:
            if other == fields and former != code:
                count = int(rows[rows["point"] == point][["d", "seed", "trial"]].drop_duplicates().shape[0])
                lines.append(_line(point, count, former, code))
    return lines


def _parts(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    fields = json.loads(text)
    return fields, fields.pop(CODE, {})


def _line(point: str, count: int, former: dict[str, str], code: dict[str, str]) -> str:
    names = sorted(name for name in {*former, *code} if former.get(name) != code.get(name))
    what = (
        f"the code of {', '.join(names)} has changed" if former else "trials were stored without their code"
    )
    return f"{what}: {count} trials of point {point} stay in the folder and are not used"


def keep_theory(study: Study, name: str, folder: RunFolder) -> None:
    """Put the theory's code on record where it is the user's own, or differs from what was recorded last."""
    record, now = _theories(folder), _theory(study, name)
    if (now["code"] or record) and now not in [{k: entry[k] for k in now} for entry in record[-1:]]:
        folder.write_text(THEORIES, json.dumps([*record, {**now, "date": iso_date()}], indent=1))


def theory_notes(folder: RunFolder) -> list[str]:
    """What to say of a theory whose code has changed since it was recorded first."""
    record = _theories(folder)
    told = [f"theory {e['theory']} with code {e['code'] or 'of simdiff'} from {e['date']} on" for e in record]
    return told if len(told) < 2 else [f"the theory has changed: {', then '.join(told)}"]


def _theories(folder: RunFolder) -> list[dict[str, str]]:
    return json.loads(folder.read_text(THEORIES) or "[]")


def _theory(study: Study, name: str) -> dict[str, str]:
    return {"theory": name, "code": "" if study.theory is None else fingerprint(study.theory)}
