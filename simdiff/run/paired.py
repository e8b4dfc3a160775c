"""Is one problem different from another? The limits of their differences, with p-values for no difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simdiff.problem import Problem
from simdiff.problems.difference.problem import Difference
from simdiff.run.verbs import validate

if TYPE_CHECKING:
    import pandas as pd

    from simdiff.validation import Judgement


def difference(first: Problem, second: Problem, **settings: Any) -> pd.DataFrame:
    """The metrics of the second problem minus those of the first, from trials with common random numbers.

    Args:
        first: a problem.
        second: another one.
        **settings: as for `validate`: sizes, precision (relative to the difference), absolute, max_trials,
            theory (of the difference), ...

    Returns:
        One row for each metric (and time): difference (of the limits), stderr, p_value (of there being no
        difference; not corrected for the number of rows), theory, verdict (on the theory).

    Raises:
        InputError: no metric in common, or other times.
    """
    import pandas as pd

    verdict = validate(Difference(first, second), **settings)
    found = verdict.table.rename(columns={"estimate": "difference"})
    kept = [name for name in ("theory_name", "time", "metric", "difference", "stderr") if name in found]
    zero = pd.Series([_p_zero(j) for j in verdict.judgements], index=found.index, name="p_value")
    return pd.concat([found[kept], zero, found[["theory", "verdict"]]], axis=1)


def _p_zero(j: Judgement) -> float:
    """Two-sided p-value of a limit of zero."""
    from scipy import stats as distributions

    if not j.stderr > 0:
        return np.nan
    return float(2 * distributions.t.sf(abs(j.estimate) / j.stderr, j.fit.dof))
