"""The yardstick of gradient training: the plain PyTorch loop that a researcher writes today, in float32.

    python benchmarks/torch_loop.py D BATCH SECONDS

All n = 2 d samples (or BATCH of them drawn with replacement, where BATCH differs from n) get noise drawn anew
each step; features are tanh, psi_p = 4; plain SGD on the second layer. Knows nothing of simdiff: it needs
torch alone. Prints steps per second and flops per second of a matrix product, each the best of three turns.
"""

from __future__ import annotations

import math
import sys
import time

import torch

PSI_N, PSI_P, T, RATE = 2, 4, 0.1, 0.1


def make_step(d: int, batch: int):
    """One step of training as a function of nothing."""
    n, p = PSI_N * d, PSI_P * d
    a, root_h = math.exp(-T), math.sqrt(-math.expm1(-2 * T))
    weights, x = torch.randn(p, d) / math.sqrt(d), torch.randn(n, d)
    layer = torch.zeros(d, p, requires_grad=True)
    optimiser = torch.optim.SGD([layer], lr=RATE * p / 2)

    def step() -> None:
        chosen = x if batch == n else x[torch.randint(n, (batch,))]
        z = torch.randn(batch, d)
        features = torch.tanh((a * chosen + root_h * z) @ weights.T)
        score = features @ layer.T / math.sqrt(p)
        loss = ((root_h * score + z) ** 2).sum(1).mean() / d
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def rate(action, least: float) -> float:
    """Actions a second over at least `least` seconds."""
    action()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < least:
        action()
        count += 1
    return count / (time.perf_counter() - start)


def main(d: int, batch: int, least: float) -> None:
    """Measure and print."""
    step, square = make_step(d, batch), torch.randn(2000, 2000)
    turns = [(rate(step, least / 3), rate(lambda: square @ square, 0.3)) for _ in range(3)]
    print(max(turn[0] for turn in turns), 2 * 2000**3 * max(turn[1] for turn in turns), torch.__version__)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
