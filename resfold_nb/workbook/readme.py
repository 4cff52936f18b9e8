"""The part of README.md that is made from the recorded studies: the summary of the verdicts."""

from __future__ import annotations

from resfold_nb.analysis import ledger
from resfold_nb.workbook.paths import ROOT

README = ROOT / "README.md"
START, END = "<!-- ledger -->\n", "<!-- /ledger -->"


def updated(text: str) -> str:
    """`text` with the present summary between its two markers.

    Raises ValueError when a marker is missing.
    """
    before, found, rest = text.partition(START)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"{README} lacks the markers {START.strip()} and {END}: put them back "
                         "around the place of the summary")
    return f"{before}{START}\n{ledger.markdown()}\n\n{END}{after}"


def write() -> None:
    """Bring README.md up to date."""
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote the summary of {sum(map(len, ledger.CLAIMS.values()))} verdicts to {README}")
