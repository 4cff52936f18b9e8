"""An executed notebook as one HTML page that needs neither kernel nor network."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from resfold_nb.show.molecule import LIBRARY_MARK
from resfold_nb.show.theme import FIGURE_CONFIG, PLOTLY_MIME
from resfold_nb.show.view import CARTESIAN, Library, inline, library, source

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METRIC_MIME = "application/vnd.resfold.metric+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
LOADING = ["script", "link", "img", "iframe", "source", "video", "audio", "embed", "object"]


def export_html(notebook_path: str | Path, html_path: str | Path, *, written_in: str | Path | None = None) -> Path:
    """Write an executed notebook as a self-contained page and return the page's path.

    Widgets live, figures can be zoomed, maths is typeset and solutions are folded away, all from disk with the
    network off; the libraries stand in the page once. 6 to 9 MB.

    `written_in` is the folder from which the text's relative links start. If it is given, links to notebooks and
    Markdown files in it lead to the pages beside this one, others to the files.

    Raises FileNotFoundError when the browser libraries were not built and ValueError when the notebook refers to
    something on the network.
    """
    notebook = nbformat.read(Path(notebook_path), as_version=4)
    return _write_page(notebook, Path(notebook_path), Path(html_path), written_in)


def export_text(markdown_path: str | Path, html_path: str | Path) -> Path:
    """Write a Markdown file as a page like those of the notebooks; arguments as `export_html`."""
    path = Path(markdown_path)
    cell = nbformat.v4.new_markdown_cell(path.read_text(encoding="utf-8"))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    return _write_page(notebook, path, Path(html_path), path.parent)


def _write_page(notebook: NotebookNode, source_path: Path, target: Path, written_in: str | Path | None) -> Path:
    from nbconvert import HTMLExporter

    scripts = _scripts(notebook)
    for cell in notebook.cells:  # numbers that were kept for the runner have nothing to show
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if set(output.get("data", [])) != {METRIC_MIME}]
    for prepare in (_share_3dmol, _drop_orphaned_views, _plotly_as_html):
        prepare(notebook)
    if written_in is not None:
        _lead_links(notebook, Path(written_in), target.parent)
    headings = (re.search(r"^# (.+)$", cell.source, re.MULTILINE) for cell in notebook.cells
                if cell.cell_type == "markdown")
    title = next((found[1].strip() for found in headings if found), source_path.stem)
    exporter = HTMLExporter(template_name="lab", raw_template=source("page.html.j2"), exclude_input_prompt=True,
                            exclude_output_prompt=True, embed_images=True)
    resources = {"metadata": {"name": title}, "scripts": scripts}
    page, _ = exporter.from_notebook_node(notebook, resources=resources)
    if remote := _remote(page):
        raise ValueError(f"{source_path} loads {sorted(remote)} from the network; "
                         "put the file beside the notebook instead")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
    return target


_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?!\w+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def _lead_links(notebook: NotebookNode, start: Path, folder: Path) -> None:
    """Point relative links of the text at pages and files as seen from the page's folder."""
    def led(match: re.Match[str]) -> str:
        path = Path(match["path"])
        page = path.suffix in (".ipynb", ".md") and path.parent == Path(".")
        other = os.path.relpath(start / path, folder)
        address = f"{path.stem}.html" if page else Path(other).as_posix()
        return f"[{match['text']}]({address}{match['anchor'] or ''})"

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(led, cell.source)


def _scripts(notebook: NotebookNode) -> dict[str, list[str]]:
    """Libraries that this notebook needs, in the order in which they must run.

    require.js comes last in the head: libraries that find it register there and hide.
    """
    from plotly.offline import get_plotlyjs

    traces = {trace.get("type", "scatter") for data in _bundles(notebook)
              for trace in data.get(PLOTLY_MIME, {}).get("data", [])}
    head, foot = [], []
    widgets = [str(model["state"].get("_anywidget_id", "")) for model in _widget_state(notebook).values()]
    if traces or any(name.endswith(("charts.Curves", "explorers.Explorer")) for name in widgets):
        head.append(library("plotly-cartesian.js") if traces <= CARTESIAN else get_plotlyjs())
    structures = any(LIBRARY_MARK in _html(data) for data in _bundles(notebook))
    if structures or _widget_state(notebook):
        head.append(library("3Dmol.js"))
    if any("$" in cell.source for cell in notebook.cells if cell.cell_type == "markdown"):
        head += [source("maths.js"), library("mathjax.js")]
    if _widget_state(notebook):
        head += [library("require.js"), _anywidget()]
        foot.append(library("embed-amd.js"))
    foot.append(source("page.js"))
    return {"head": [inline(s) for s in head], "foot": [inline(s) for s in foot]}


def _anywidget() -> str:
    """anywidget's front end under the name by which the widget manager asks for it."""
    import anywidget

    path = Path(anywidget.__file__).parent / "nbextension" / "index.js"
    text, opening = path.read_text(encoding="utf-8"), 'define(["@jupyter-widgets/base"]'
    if opening not in text:
        raise RuntimeError(f"{path} does not start its module with {opening}; the exporter must "
                           "learn this version of anywidget")
    named = text.replace(opening, 'define("anywidget", ["@jupyter-widgets/base"]')
    return f"(function () {{{named}\n}})();"


def _bundles(notebook: NotebookNode) -> Iterator[dict[str, Any]]:
    """Data by mime type of every rich output."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                yield output["data"]


def _html(data: dict[str, Any]) -> str:
    """The HTML of an output, or nothing."""
    return "".join(data.get("text/html", ""))


def _widget_state(notebook: NotebookNode) -> dict[str, Any]:
    """Saved widget models by id."""
    return notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})


def _share_3dmol(notebook: NotebookNode) -> None:
    """Take out the copies of 3Dmol.js that outputs and widget models carry."""
    copies = re.compile(rf"<script {re.escape(LIBRARY_MARK)}>.*?</script>", re.DOTALL)
    for data in _bundles(notebook):
        if LIBRARY_MARK in _html(data):
            data["text/html"] = copies.sub("", _html(data))
    for model in _widget_state(notebook).values():
        if model["state"].get("_anywidget_id") == f"{Library.__module__}.{Library.__name__}":
            model["state"]["source"] = ""


def _drop_orphaned_views(notebook: NotebookNode) -> None:
    """Where a widget's state was not saved, leave its still picture or text."""
    known = _widget_state(notebook)
    for data in _bundles(notebook):
        if WIDGET_VIEW in data and data[WIDGET_VIEW]["model_id"] not in known:
            del data[WIDGET_VIEW]


def _plotly_as_html(notebook: NotebookNode) -> None:
    """Figures, which JupyterLab draws from their own mime type, as elements for page.js."""
    for data in _bundles(notebook):
        if PLOTLY_MIME not in data:
            continue
        content = {"config": FIGURE_CONFIG, **data.pop(PLOTLY_MIME)}
        figure = json.dumps(content).replace("<", "\\u003c")
        data.pop("image/png", None)
        data["text/html"] = (f'<div class="resfold-plot">' f'<script type="application/json">{figure}</script></div>')


def _remote(page: str) -> set[str]:
    """Addresses on the network that a page would load by itself; links to click on do not count."""
    from bs4 import BeautifulSoup

    read = BeautifulSoup(page, "html.parser")
    loaded = [tag.get(name) or "" for tag in read.find_all(LOADING) for name in ("src", "href", "data")]
    styles = (re.findall(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""", tag.get_text())
              for tag in read.find_all("style"))
    return {address for address in loaded if re.match(r"(https?:)?//", address)}.union(*styles)
