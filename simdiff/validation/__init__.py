"""Statistics of validation: estimate limits from finite sizes, decide how many trials, give verdicts.

Arrays and tables in, tables out: nothing here knows a problem or the engine. A run goes

    rule = Rule(precision=0.005, sizes=(80, 120, 240, 480))
    loop: items = hypotheses(rows, metrics, sizes, theory=..., theory_at=...)
          wanted = next_trials(items, rule, costs)      # {size: total trials}; run the missing ones
    judge_table(items, rule)                            # Verdict

`estimators` has the moments of trials, `corrections` what a fit may add to the limit, `finite_size` the fit,
`allocation` and `sequential` the number of trials, `rule` what is fixed beforehand, `verdict` the decision
and `statuses` its words.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
