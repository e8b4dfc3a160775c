"""The site shows the repository's pages as they are: links between them are made those between its pages.

README.md is the site's first page; CONTRIBUTING, CHANGELOG and results/ are pages, too. In the repository
they stay where its readers look for them.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
SHOWN = {".png", ".csv", ".json", ".md"}
"""Kinds of files in results/ that pages show or link to."""
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and figures that lie outside docs/."""
    for source, place in PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for path in sorted((ROOT / "results").rglob("*")):
        if path.suffix in SHOWN:
            place = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point every link at the page that shows what it points at in the repository."""
    here = page.file.src_uri
    origin = _in_repository(here)

    def moved(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), found[2]))
        place = PAGES.get(target, target.removeprefix("docs/"))
        return found[1] + posixpath.relpath(place, posixpath.dirname(here) or ".") + found[3]

    return LINK.sub(moved, markdown)


def _in_repository(place: str) -> str:
    """Where the page of this place is written."""
    outside = {page: source for source, page in PAGES.items()}
    return outside.get(place) or (place if place.startswith("results/") else f"docs/{place}")
