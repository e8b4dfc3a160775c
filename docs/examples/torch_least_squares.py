"""A training loop in PyTorch as a host trial: least squares by gradient descent with momentum.

    simdiff run problem=torch_least_squares.py:TorchLeastSquares theory=torch_least_squares.py:theory

The loop ends at the minimum, so what it fits is the projection of n = d / gamma numbers of unit variance onto
d dimensions: of their mean square a part gamma is fitted, and 1 - gamma is left, at every d.
"""

import dataclasses

import simdiff


@dataclasses.dataclass(frozen=True)
class TorchLeastSquares(simdiff.Problem):
    """A linear layer that is trained on n = d / gamma samples of noise."""

    gamma: float = 0.5
    steps: int = 200

    name = "torch_least_squares"
    metrics = (
        simdiff.Metric("train", "mean squared residual"),
        simdiff.Metric("fitted", "mean square of the fitted values"),
    )

    def samples(self, d):
        return round(d / self.gamma)

    def at_size(self, d):
        return dataclasses.replace(self, gamma=d / self.samples(d))

    def ratios(self):
        return {"n / d": 1 / self.gamma}

    def trial_host(self, rng, d):
        import torch

        torch.manual_seed(int(rng.integers(2**63)))  # all that is random comes from rng
        torch.set_num_threads(1)
        x = torch.randn(self.samples(d), d, dtype=torch.float64)
        y = torch.randn(len(x), 1, dtype=torch.float64)
        layer = torch.nn.Linear(d, 1, bias=False, dtype=torch.float64)
        optimiser = torch.optim.SGD(layer.parameters(), lr=0.2, momentum=0.8)
        for _ in range(self.steps):
            optimiser.zero_grad()
            loss = ((layer(x) - y) ** 2).mean()
            loss.backward()
            optimiser.step()
        return {"train": loss.item(), "fitted": (layer(x) ** 2).mean().item()}


def theory(problem):
    """Of the minimum, for n > d."""
    return {"train": 1 - problem.gamma, "fitted": problem.gamma}


def wrong(problem):
    """A quarter too much is fitted: an error that the verdict is to find."""
    return {"train": 1 - problem.gamma, "fitted": 1.25 * problem.gamma}
