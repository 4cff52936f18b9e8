"""`site`: the exported pages of a run in one folder with an index, to put on any web server."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat

from resfold_nb.workbook.paths import BUILD, NOTEBOOKS

SITE = BUILD / "site"
INTRODUCTION = """# The ResFold workbook

How diffusion models for protein structure go wrong, and how to find out why. These pages need
neither a kernel nor the network; sliders and 3D views are live. They were executed in profile
*{profile}*.

"""


def main(profile: str, run: Path = BUILD, site: Path = SITE, notebooks: Path = NOTEBOOKS) -> int:
    """Gather the pages of `run`/`profile` in `site`; 0 when every notebook has its page."""
    present = sorted(notebooks.glob("*.ipynb"))
    pages = [run / profile / f"{path.stem}.html" for path in present]
    missing = [page.name for page in pages if not page.exists()]
    if missing:
        print(f"no page of {', '.join(missing)} in {run / profile}: run `python -m resfold_nb run "
              f"--profile {profile}` first", file=sys.stderr)
        return 1
    site.mkdir(parents=True, exist_ok=True)
    for page in sorted((run / profile).glob("*.html")):
        shutil.copy2(page, site)
    _write_index(INTRODUCTION.format(profile=profile) + "\n".join(_lines(present)), site)
    print(f"{len(pages)} pages and index.html: {site}")
    return 0


def _lines(notebooks: list[Path]) -> Iterator[str]:
    """A table of the notebooks: title, and the first sentence after it."""
    yield "| notebook | |\n|---|---|"
    for path in notebooks:
        title, sentence = opening(path)
        yield f"| [{title}]({path.name}) | {sentence} |"
    yield "\n[Notation, glossary and bibliography](reference.md)"


def opening(path: Path) -> tuple[str, str]:
    """A notebook's title and the first sentence under it, without links."""
    first = nbformat.read(path, 4).cells[0].source
    title, _, rest = first.partition("\n")
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(rest.split()))
    return title.removeprefix("# "), re.split(r"(?<=[.?!])\s", text)[0]


def _write_index(markdown: str, site: Path) -> None:
    from resfold_nb.show.export import export_text

    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch) / "index.md"
        text.write_text(markdown, encoding="utf-8")
        export_text(text, site / "index.html")
