"""The spectrum of the feature Gram matrix at every point: theory, and one trial at the largest size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from simdiff.analysis.spectra import feature_eigenvalues, feature_spectrum
from simdiff.errors import InputError
from simdiff.parts.registry import register
from simdiff.report import plots
from simdiff.report.figures.base import Figure, Material, Settings
from simdiff.validation.study import Study


@register("figure", "spectrum")
class FeatureSpectrum(Figure):
    """The figure of figure.spectrum=true."""

    order: ClassVar[int] = 20
    settings: ClassVar[Settings] = {"spectrum": False}
    asked: ClassVar[Settings] = {"spectrum": True}

    def check(self, settings: Settings, studies: Sequence[Study]) -> None:
        """Problems have features."""
        if settings["spectrum"] and not all("features" in study.problem.offers for study in studies):
            raise InputError(
                "figure.spectrum", True, "false", "only problem=denoising has a feature spectrum"
            )

    def draw(self, material: Material) -> Any:
        """One panel for each point."""
        if not material.settings["spectrum"]:
            return None
        shown = []
        for study, label in zip(material.studies, material.labels, strict=True):
            problem: Any = study.problem
            law = feature_spectrum(problem)
            values = feature_eigenvalues(problem, study.sizes[-1], 1, study.seed)
            shown.append(
                plots.SpectrumPanel(label, *law.density_on_grid(400, log=True), law.atoms, law.edges, values)
            )
        return plots.draw_spectra(shown)
