"""What keeps checkpoints in a folder of runs and dies when it has kept so many; trials that it watches."""

import math

from simdiff.engine import Session, run_trials, use_checkpoints
from simdiff.store import RunFolder

FACTS = {"commit": "a"}


class Killed(Exception):
    pass


class DyingKeeper:
    """`steps`: at which a state was kept."""

    def __init__(self, folder, saves=math.inf):
        self._own, self._left = RunFolder(folder).checkpoints("point", FACTS), saves
        self.steps, own = [], self._own
        self.load, self.drop, self.clear = own.load, own.drop, own.clear

    def save(self, name, identity, arrays):
        self._own.save(name, identity, arrays)
        self.steps.append(int(arrays["step"]))
        self._left -= 1
        if self._left <= 0:
            raise Killed


def curve_of(problem, d, session, keeper=None, seed=3):
    """The metrics of two trials at every record, in one batch."""
    (rows,) = run_trials(problem, d, seed, [1, 2], "auto", session, keeper)
    return rows[[metric.name for metric in problem.metrics]].to_numpy()


def often_kept():
    """A session that keeps the state after every window."""
    session = Session()
    use_checkpoints(1e-6, session)
    return session


def undisturbed(session, curve):
    """In a few long windows, and nothing kept."""
    session.checkpoint = 1e3
    found = curve(session)
    session.checkpoint = 1e-6
    return found
