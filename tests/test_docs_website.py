"""The pages of a run in one folder, with an index whose links lead to them."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

import website as site


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Where a run, the site and two notebooks are."""
    run, notebooks = tmp_path / "build", tmp_path / "notebooks"
    notebooks.mkdir()
    (run / "ci").mkdir(parents=True)
    for name in ("00_tour", "01_next"):
        text = f"# {name} title\n\nIt [shows](other.ipynb) one thing: this. And more."
        cells = [nbformat.v4.new_markdown_cell(text)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), notebooks / f"{name}.ipynb")
        (run / "ci" / f"{name}.html").write_text(f"page of {name}")
    (run / "ci" / "reference.html").write_text("words")
    return run, tmp_path / "site", notebooks


def test_every_link_of_the_index_leads_to_a_page(folders: tuple[Path, Path, Path]) -> None:
    run, target, notebooks = folders
    assert site.main("ci", run, target, notebooks) == 0
    page = (target / "index.html").read_text(encoding="utf-8")
    links = [a for a in re.findall(r'<a [^>]*href="([^"#]+)"', page) if not a.startswith("http")]
    assert sorted(links) == ["00_tour.html", "01_next.html", "reference.html"]
    assert all((target / link).exists() for link in links)
    assert "It shows one thing: this." in page and "And more" not in page


def test_a_missing_page_is_named_with_the_remedy(folders: tuple[Path, Path, Path],
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    run, target, notebooks = folders
    (run / "ci" / "01_next.html").unlink()
    assert site.main("ci", run, target, notebooks) == 1
    assert "01_next.html" in (said := capsys.readouterr().err) and "--profile ci" in said
    assert not target.exists()
