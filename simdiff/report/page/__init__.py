"""HTML: the page of a run, one self-contained file (`page`), and what a notebook shows of it (`fragment`).

The page has the sections of report.md, rendered from the same Markdown, with figures as inline SVG, tables
that sort and filter (`script.js`), and links to the files of the run's folder. It needs no network.
"""
