"""report.html: one self-contained file; in a browser it has no errors, and its tables sort and filter."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
import result_tables as fake
from matplotlib.figure import Figure

from simdiff.report.page.page import Files, build_page, labels_of
from simdiff.report.plots import style
from simdiff.report.text import Report

CHROMIUM = shutil.which("chromium")
RULE = {"precision": 0.005, "alpha": 0.05, "text": "Rejected at p < 0.05."}


@pytest.fixture(scope="module")
def page():
    summary = fake.summary(psi_p=(0.5, 1.0, 2.0), ms=(1, 4), metrics=("test", "train"))
    told = Report(summary, fake.extrapolation(summary), RULE, {"command": "simdiff run <x>"}, "A & B <run>")
    figure = Figure()
    figure.add_subplot().plot(np.arange(3))
    svgs = {name: style.svg(figure, name) for name in ("curves", "deviations")}
    return build_page(told, svgs, Files(["summary.csv"], labels_of(summary)))


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_the_verdict_comes_first_and_words_are_escaped(page):
    text = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert text.index("<b>Disagrees.</b>") < text.index("<figure>") < text.index('id="verdicts"')
    assert "A &amp; B &lt;run&gt;" in text
    assert "simdiff run &lt;x&gt;" in text
    assert 'class="v disagree"' in text
    assert 'href="trials/' in text


def test_nothing_is_loaded_from_elsewhere(page):
    for tag, attributes in Elements(page).found:
        assert tag not in ("img", "iframe", "object")
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name) or ""
            assert not re.match(r"(https?:)?//", value), value
    assert "@import" not in page


def test_identifiers_are_unique_and_every_reference_has_one(page):
    found = Elements(page).found
    names = [a["id"] for _, a in found if "id" in a]
    assert len(names) == len(set(names)) > 10
    wanted = {a[k][1:] for _, a in found for k in ("href", "xlink:href") if (a.get(k) or "").startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(names)
    for element in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        ElementTree.fromstring(element)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_in_a_browser_tables_sort_and_filter_without_errors(page, tmp_path):
    probe = """<script>
    const said = [];
    const rows = () => [...document.querySelectorAll("#verdicts tbody tr")].filter(r => !r.hidden);
    const column = k => rows().map(r => r.cells[k].textContent);
    document.querySelectorAll("#verdicts th button")[0].click();
    document.querySelectorAll("#verdicts th button")[0].click();
    said.push("first " + column(0).join());
    const input = document.querySelector("#verdicts input");
    input.value = "disagree"; input.dispatchEvent(new Event("input"));
    said.push("filtered " + rows().map(r => r.cells[r.cells.length - 1].textContent).join());
    said.push("wide " + (document.documentElement.scrollWidth > innerWidth));
    document.title = said.join("; ");
    </script></body>"""
    (tmp_path / "page.html").write_text(page.replace("</body>", probe))
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--window-size=390,800",
    ]
    words = [
        CHROMIUM,
        *flags,
        f"--user-data-dir={tmp_path}/user",
        "--dump-dom",
        f"file://{tmp_path}/page.html",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout)[1]
    assert title == "first 4,4,4,4,4,4,1,1,1,1,1,1; filtered disagree; wide false"
    assert "CONSOLE" not in done.stderr
