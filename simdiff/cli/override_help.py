"""The help on overrides: settings with their defaults, and the parts that are registered."""

from __future__ import annotations

import inspect
import json
import textwrap
from typing import Any

from simdiff.parts import registry
from simdiff.parts.build import KINDS

_OVERRIDES = """\
overrides, with their defaults:
  psi_n=2  t=0.1  m=1          samples per dimension, diffusion time, noise draws per sample (or m=inf)
{parts}  theory=                      a name, package.module:name, or [several]; left out, the problem's own
  sizes=[80,120,240,480]       values of d from which the limit is extrapolated
  extrapolation=[1,2]          corrections d^-1, d^-2 fitted to them; also [2/3,4/3], [log d/d], none; left
                               out, [1,2] is supposed, and a rejection must survive [2/3,4/3]
  precision=0.005  alpha=0.05  half width of the limit's 95% interval; chance to reject a correct theory
  absolute=0                   half width that is always enough, in the metrics' unit
  max_trials=512  seed=0       at one size of one point
  dtype=auto                   or float32, mixed, float64
  devices=null                 devices that share the trials; null: all GPUs, or all cores of a CPU
  checkpoint=null              seconds between two checkpoints of a network in training; null: 60, where a
                               trial takes long
  compilation_cache=auto       where compiled programs are kept: $JAX_COMPILATION_CACHE_DIR or, without,
                               ~/.cache/simdiff; or off, or a folder
  launcher=basic               where points run: in this process; launcher=joblib or local launcher.jobs=2:
                               in that many processes here; launcher=slurm: in the jobs of a SLURM array,
                               launcher.jobs=16 launcher.timeout_min=240 launcher.partition=NAME
                               launcher.cpus_per_task=4 launcher.gpus_per_node=1 launcher.mem_gb=32
  out=runs/NAME                the folder of the run: report.md, summary.csv, figures/, trials/, ...; NAME is
                               name=, the experiment's, or the problem's with digits of its settings
  figure.kind=curves           or maps (figure.x=psi_n figure.y=model.psi_p) or none
  figure.spectrum=true         also the spectrum of the feature Gram matrix at every point
  figure.density.models=100    of ensemble_sampling: densities of what models generate, beside theory
  figure.complexity.threshold=0.1   also the least psi_n that reaches it along figure.x, by theory
  experiment=NAME              a prepared sweep; overrides besides it win. Those of paper cards are
                               papers/ID/FIGURE, see simdiff list papers; card= is a card's own text
With -m, comma-separated values are swept over, in all combinations. "simdiff list" shows all names.

examples:
  simdiff run experiment=gaussian_learning_curve
  simdiff run -m model.psi_p=0.5,1,2,4 m=1,4,inf precision=0.01
  simdiff predict -m psi_n=0.5,1,2,4,8 trainer.ridge=1e-4
  simdiff report runs/gaussian_learning_curve
  simdiff export runs/gaussian_learning_curve curve.zip
  simdiff run experiment=gaussian_learning_curve launcher=slurm launcher.jobs=32

A run that was interrupted goes on where it was when the same command is given again.
Exit status: 0 done, 1 a job left trials undone, 2 bad input, 130 interrupted.
"""


def overrides() -> str:
    """The help on overrides; the parts and their arguments are those that are registered."""
    lines = [line for kind in ("problem", *KINDS) for line in _choices(kind)]
    return _OVERRIDES.replace("{parts}", "\n".join([*lines, ""]))


def _choices(kind: str) -> list[str]:
    """What can be chosen as `kind`: what each is, and its own arguments with their defaults."""
    found = [f"  {kind}=package.module:Class"] if kind == "problem" else []
    for name, part in registry.parts(kind).items():
        entry = {} if kind == "problem" else {k: v for k, v in part.entry.items() if k != "type"}
        words = " ".join(f"{kind}.{key}={_typed(value)}" for key, value in entry.items())
        about = (inspect.getdoc(part.factory) or "").split("\n\n")[0] if part.factory else "none"
        head = f"{kind}={name}".ljust(_COLUMN - 1)
        found += textwrap.wrap(f"{head} {' '.join(about.split())}", 108, **_INDENT)
        found += textwrap.wrap(words, 108, **(_INDENT | {"initial_indent": " " * (_COLUMN + 2)}))
    return found


def _typed(value: Any) -> str:
    """A default as one would type it."""
    return json.dumps(value, separators=(",", ":")).strip('"')


_COLUMN = 29
_INDENT: dict[str, Any] = {
    "initial_indent": "  ",
    "subsequent_indent": " " * (_COLUMN + 2),
    "break_on_hyphens": False,
    "break_long_words": False,
}
