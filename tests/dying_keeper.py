"""What keeps checkpoints in a folder of runs, and dies when it has kept so many."""

import math

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
