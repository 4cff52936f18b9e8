"""A run in tables: printed, and kept as HTML and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

from resfold_nb.workbook.bands import Band, Bands, Miss, check
from resfold_nb.workbook.metrics import Metric, Result, quantity

Table = list[tuple[str, ...]]  # its head, then its rows

_CSV = ("notebook", "kind", "name", "value", "unit", "low", "high", "op", "limit", "verdict")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
th, td {{ border-bottom: 1px solid #bbb; padding: .3rem .8rem; text-align: left }}
tr.bad td {{ background: #fbe3d6 }}
pre {{ white-space: pre-wrap }}
</style></head><body><h1>{title}</h1>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Summary:
    """The results of a run, held against the profile's bands where there are any."""

    profile: str
    seed: int
    results: tuple[Result, ...]
    bands: Bands | None = None

    @property
    def bands_needed(self) -> bool:
        """No machine of the project's own has a GPU to measure the `gpu` profile's bands on."""
        return self.profile != "gpu"

    @cached_property
    def misses(self) -> list[Miss]:
        """Disagreements with the bands; none where no bands are recorded."""
        return [] if self.bands is None else check(self.results, self.bands)

    @property
    def passed(self) -> bool:
        """Every notebook clean, every goal held, every number in its band."""
        goals = all(metric.held is not False for r in self.results for metric in r.metrics)
        banded = self.bands is not None or not self.bands_needed
        return goals and banded and not self.misses and all(r.clean for r in self.results)

    def text(self) -> str:
        """The tables and what is wrong, for a terminal."""
        return "\n\n".join(["", *map(_aligned, self._tables()), self._verdict()])

    def write(self, folder: Path) -> None:
        """Write metrics.csv, and summary.html, which links to each notebook's page."""
        folder.mkdir(parents=True, exist_ok=True)
        title = f"ResFold workbook: profile {self.profile}, seed {self.seed}"
        body = "\n".join([*map(_html, self._tables()), f"<pre>{escape(self._verdict())}</pre>"])
        (folder / "summary.html").write_text(_PAGE.format(title=escape(title), body=body), encoding="utf-8")
        with open(folder / "metrics.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([_CSV, *(self._csv_row(m) for r in self.results for m in r.metrics)])

    def _tables(self) -> tuple[Table, Table]:
        notebooks = [(r.notebook, f"{r.seconds:.1f}", "FAILED" if r.error else "WARNED" if r.warnings else "done")
                     for r in self.results]
        metrics = [(m.notebook, m.name, quantity(m.value, m.unit), m.condition or str(self._band(m) or ""),
                    self._judge(m)) for r in self.results for m in r.metrics]
        return ([("notebook", "seconds", "result"), *notebooks],
                [("notebook", "what", "value", "must be", "verdict"), *metrics])

    def _csv_row(self, m: Metric) -> tuple[object, ...]:
        band = self._band(m)
        limits = (band.low, band.high) if band else ("", "")
        return m.notebook, m.kind, m.name, m.value, m.unit, *limits, m.op, m.limit, self._judge(m)  # None is ""

    def _band(self, m: Metric) -> Band | None:
        return (self.bands or {}).get(m.notebook, {}).get(m.name) if m.kind == "metric" else None

    def _judge(self, metric: Metric) -> str:
        if metric.kind == "goal":
            return "goal held" if metric.held else "GOAL MISSED"
        if self.bands is None:
            return "no bands recorded"
        missed = any((m.notebook, m.name) == (metric.notebook, metric.name) for m in self.misses)
        return "OUT OF BAND" if missed else "in band"

    def _verdict(self) -> str:
        return "\n".join([*self._complaints(), "PASSED" if self.passed else "FAILED"])

    def _complaints(self) -> Iterator[str]:
        for result in self.results:
            if result.error:
                yield f"{result.notebook} failed: {result.error}"
            yield from (f"{result.notebook} warned: {text}" for text in result.warnings)
        if self.bands is None:
            remedy = f": run `python -m resfold_nb bands --profile {self.profile}`." if self.bands_needed else "."
            yield f"No bands recorded for profile {self.profile}{remedy}"
        yield from (f"Band missed: {miss}" for miss in self.misses)


def _aligned(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    ruled = [table[0], ["-" * width for width in widths], *table[1:]]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in ruled)


def _html(table: Table) -> str:
    linked, rows = "seconds" in table[0], []
    for name, *others in table[1:]:
        first = f'<a href="{escape(name)}.html">{escape(name)}</a>' if linked else escape(name)
        bad = ' class="bad"' if others[-1].isupper() else ""  # verdicts in capitals are the bad ones
        rows.append(f"<tr{bad}>{''.join(f'<td>{text}</td>' for text in (first, *map(escape, others)))}</tr>")
    top = "".join(f"<th>{escape(text)}</th>" for text in table[0])
    return "\n".join([f"<table><tr>{top}</tr>", *rows]) + "</table>"
