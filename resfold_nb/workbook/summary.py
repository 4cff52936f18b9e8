"""A run in tables: printed, and kept as Markdown, HTML and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

from resfold_nb.workbook.bands import Bands, Miss, check
from resfold_nb.workbook.metrics import quantity
from resfold_nb.workbook.results import Metric, Result

Row = tuple[str, ...]

_NOTEBOOKS: Row = ("notebook", "seconds", "result")
_METRICS: Row = ("notebook", "what", "value", "must be", "verdict")
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

    @property
    def title(self) -> str:
        """One line that names the run."""
        return f"ResFold workbook: profile {self.profile}, seed {self.seed}"

    def text(self) -> str:
        """The tables and what is wrong, for a terminal."""
        tables = [_aligned(head, rows) for head, rows in self._tables()]
        return "\n\n".join(["", *tables, self._verdict()])

    def markdown(self) -> str:
        """The same, as Markdown."""
        tables = [_markdown(head, rows) for head, rows in self._tables()]
        verdict = f"```text\n{self._verdict()}\n```"
        return "\n\n".join([f"# {self.title}", *tables, verdict]) + "\n"

    def html(self) -> str:
        """The same, as a page that links to each notebook's own."""
        tables = [_html(head, rows) for head, rows in self._tables()]
        body = "\n".join([*tables, f"<pre>{escape(self._verdict())}</pre>"])
        return _PAGE.format(title=escape(self.title), body=body)

    def write(self, folder: Path) -> None:
        """Write metrics.csv, summary.md and summary.html."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "summary.md").write_text(self.markdown(), encoding="utf-8")
        (folder / "summary.html").write_text(self.html(), encoding="utf-8")
        with open(folder / "metrics.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(_CSV)
            writer.writerows(self._csv_row(m) for r in self.results for m in r.metrics)

    def _tables(self) -> list[tuple[Row, list[Row]]]:
        notebooks = [(r.notebook, f"{r.seconds:.1f}", _outcome(r)) for r in self.results]
        metrics = [
            (m.notebook, m.name, quantity(m.value, m.unit), self._limits(m), self._judge(m))
            for result in self.results
            for m in result.metrics
        ]
        return [(_NOTEBOOKS, notebooks), (_METRICS, metrics)]

    def _csv_row(self, m: Metric) -> tuple[object, ...]:
        band = (self.bands or {}).get(m.notebook, {}).get(m.name) if m.kind == "metric" else None
        limits = ("", "") if band is None else (band.low, band.high)
        bound = "" if m.limit is None else m.limit
        return (m.notebook, m.kind, m.name, m.value, m.unit, *limits, m.op, bound, self._judge(m))

    def _limits(self, metric: Metric) -> str:
        if metric.kind == "goal":
            return metric.condition
        band = (self.bands or {}).get(metric.notebook, {}).get(metric.name)
        return "" if band is None else str(band)

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
            yield (f"No bands recorded for profile {self.profile}"
                   + ("." if not self.bands_needed else
                      f": run `python -m resfold_nb bands --profile {self.profile}`."))
        yield from (f"Band missed: {miss}" for miss in self.misses)


def _outcome(result: Result) -> str:
    return "FAILED" if result.error else "WARNED" if result.warnings else "done"


def _aligned(head: Row, rows: list[Row]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    ruled = [head, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in ruled
    )


def _markdown(head: Row, rows: list[Row]) -> str:
    ruled = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(t.replace('|', chr(92) + '|') for t in r)} |" for r in ruled)


def _html(head: Row, rows: list[Row]) -> str:
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    lines = "\n".join(_html_row(row, linked=head is _NOTEBOOKS) for row in rows)
    return f"<table><tr>{top}</tr>\n{lines}</table>"


def _html_row(row: Row, linked: bool) -> str:
    name = escape(row[0])
    first = f'<a href="{name}.html">{name}</a>' if linked else name
    cells = "".join(f"<td>{text}</td>" for text in (first, *map(escape, row[1:])))
    bad = row[-1].isupper()  # verdicts in capitals are the bad ones
    return f'<tr class="bad">{cells}</tr>' if bad else f"<tr>{cells}</tr>"
