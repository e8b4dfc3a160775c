"""What ensembles of models generate: trained densities beside the theory's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from simdiff.analysis.densities import learned_density
from simdiff.errors import InputError, check_integer
from simdiff.parts.registry import register
from simdiff.report import plots
from simdiff.report.figures.base import Figure, Material, Settings
from simdiff.validation.study import Study

ONLY = "only problem=ensemble_sampling has point sets"


@register("figure", "densities")
class LearnedDensities(Figure):
    """The figure of figure.density.models > 0: that many models are trained, at P or the largest size."""

    order: ClassVar[int] = 30
    settings: ClassVar[Settings] = {"density": {"models": 0, "samples": 10000}}
    asked: ClassVar[Settings] = {"density": {"models": 100}}

    def check(self, settings: Settings, studies: Sequence[Study]) -> None:
        """Point sets in one or two dimensions."""
        asked = settings["density"]
        if not asked["models"]:
            return
        if not all("point set" in study.problem.offers for study in studies):
            raise InputError("figure.density", dict(asked), "null", ONLY)
        check_integer("figure.density.models", asked["models"], least=2)
        check_integer("figure.density.samples", asked["samples"], least=1)
        check_dimension("figure.density", studies, exactly=False)

    def draw(self, material: Material) -> Any:
        """One panel for each point."""
        asked = material.settings["density"]
        if not asked["models"]:
            return None
        studies = zip(material.studies, material.labels, strict=True)
        return plots.draw_densities([_panel(study, label, asked) for study, label in studies])


def _panel(study: Study, label: str, asked: Settings) -> plots.DensityPanel:
    problem: Any = study.problem
    found = learned_density(problem, study.sizes[-1], asked["models"], asked["samples"], seed=study.seed)
    points, _ = problem.data.arrays()
    excess = f"$W_1$ above its floor: ${found.distance.excess:.3f}$ ± {found.distance.stderr:.3f}"
    return plots.DensityPanel(label, points, found.edges, found.trained.density, found.theory.density, excess)


def check_dimension(name: str, studies: Sequence[Study], exactly: bool) -> None:
    """Raise `InputError` unless points lie in the plane, or, if not `exactly`, on a line."""
    for study in studies:
        problem: Any = study.problem
        dimension = problem.data.dimension
        if dimension > 2 or (exactly and dimension < 2):
            allowed = "points in the plane" if exactly else "D <= 2"
            raise InputError(name, f"points in {dimension} dimensions", allowed)
