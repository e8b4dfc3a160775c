"""Paper cards: prepared experiments that follow a figure of a paper, each with its claim and its sources.

A card is a file `configs/experiment/papers/<arXiv id>/<figure>.yaml`: a sweep like any other, and an entry
`card` with the paper, the claim in one sentence, and where each parameter is from: stated, or assumed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from simdiff.cli.compose import CONFIGS, PAPERS, options


def cards() -> dict[str, Mapping[str, Any]]:
    """{experiment: its card}, in the order of their names."""
    names = [name for name in options("experiment") if name.startswith(PAPERS)]
    return {name: _card(name) for name in names}


def listed(width: int) -> str:
    """All cards as text for a terminal of `width` columns."""
    return "\n\n".join(_text(name, card, width) for name, card in cards().items())


def _card(name: str) -> Mapping[str, Any]:
    whole: Any = OmegaConf.to_container(
        OmegaConf.load(CONFIGS / "experiment" / f"{name}.yaml"), resolve=False
    )
    return whole["card"]


def _text(name: str, card: Mapping[str, Any], width: int) -> str:
    sources = "; ".join(f"{parameter}: {source}" for parameter, source in card["parameters"].items())
    lines = [f"{card['paper']}: {card['claim']}", f"Parameters: {sources}."]
    wrapped = [textwrap.indent(textwrap.fill(line, max(width - 4, 20)), "    ") for line in lines]
    return "\n".join([f"experiment={name}", *wrapped])
