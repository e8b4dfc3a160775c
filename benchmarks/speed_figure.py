"""The stored tables of speed as one figure: shares of the peak, ratios, growth.

    python benchmarks/speed_figure.py        # reads results/speed_*.csv, writes results/speed.png

Panels whose table is not there are left out.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from common import RESULTS
from matplotlib.axes import Axes

from simdiff.report.plots.style import house, panels, save


def shares(ax: Axes, table: pd.DataFrame) -> None:
    """Share of the product rate against d."""
    for name, part in table.groupby("trainer", sort=False):
        ax.plot(part["d"], part["share"], "o-", label=name)
    ax.axhline(0.7, color="0.6", lw=0.8, ls=":")
    ax.set(xscale="log", ylim=(0, 1), xlabel="d", ylabel="useful flops / measured product rate")
    ax.set_xticks(sorted(set(table["d"])), [str(d) for d in sorted(set(table["d"]))], minor=False)
    ax.minorticks_off()
    ax.legend()


def ratios(ax: Axes, table: pd.DataFrame) -> None:
    """How many times faster than NumPy a trial is."""
    for (d, m), part in table.groupby(["d", "m"], sort=False):
        ax.plot(part["psi_p"], part["ratio"], "o-", label=f"$d={d}$, $m={m:g}$".replace("inf", "\\infty"))
    ax.axhline(1, color="0.6", lw=0.8, ls=":")
    ax.set(yscale="log", xlabel=r"$\psi_p$", ylabel="NumPy's time of a trial / ours")
    ax.set_ylim(0.8, 3000)
    ax.legend(fontsize=6.5, ncols=2, handlelength=1.2, columnspacing=0.8, loc="upper center")


def growth(ax: Axes, table: pd.DataFrame) -> None:
    """Seconds against flops, along each line."""
    for name, part in table.groupby("against", sort=False):
        ax.plot(part["gigaflops"], part["seconds"], "o-", label=f"along {name}")
    ax.set(xscale="log", yscale="log", xlabel="useful Gflop a trial", ylabel="seconds per trial")
    ax.legend()


PANELS: dict[str, Callable[[Axes, pd.DataFrame], None]] = {
    "speed_peak": shares,
    "speed_trials": ratios,
    "speed_growth": growth,
}


@house()
def main() -> None:
    """Draw what is there."""
    there = [name for name in PANELS if (RESULTS / f"{name}.csv").exists()]
    if not there:
        print("no table of speed in results/: run benchmarks/speed.py first")
        return
    figure, axes = panels(len(there), height=2.4)
    for ax, name in zip(axes, there, strict=True):
        PANELS[name](ax, pd.read_csv(RESULTS / f"{name}.csv"))
    save(figure, RESULTS / "speed")
    (RESULTS / "speed.pdf").unlink()
    print(f"stored in {RESULTS / 'speed.png'}")


if __name__ == "__main__":
    main()
