"""The ledger of verdicts: a line a claim, each opening to its rule and its numbers."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence

from IPython.display import HTML, display

from resfold_nb.show.theme import PALETTE
from resfold_nb.verdict import Finding, Judgement, Rule

VERDICT_MARKS = {"supported": ("✓", PALETTE["x0"]), "refuted": ("✗", PALETTE["residual"]),
         "depends on the regime": ("±", PALETTE["eps"]), "not decided": ("?", "#757575")}
"""Sign and colour of a verdict: the sign tells them apart without colour."""

LABELS, PLOT, ROW = 440, 300, 22  # pixels: width of labels, width of the plot, height of a row


def ledger(groups: Mapping[str, Sequence[Judgement]]) -> None:
    """Display every claim under its group's heading; a click or Enter opens a row."""
    parts = [_CSS]
    for group, judgements in groups.items():
        parts.append(f'<h4 class="resfold-group">{html.escape(group[:1].upper() + group[1:])}</h4>')
        parts += [_claim(judgement) for judgement in judgements]
    display(HTML("".join(parts)))


def _claim(judgement: Judgement) -> str:
    claim, (sign, colour) = judgement.claim, VERDICT_MARKS[judgement.verdict]
    rule = "" if claim.rule is None else f"<p><b>Rule:</b> {html.escape(str(claim.rule))}.</p>"
    source = f"<p><b>Source:</b> {html.escape(claim.source)}.</p>" if claim.source else ""
    picture = _forest(judgement.findings, claim.rule, judgement.answers) if claim.rule else ""
    return (
        f'<details class="resfold-claim" style="border-left-color:{colour}"><summary>'
        f'<b class="verdict">{sign} {judgement.verdict}</b> {html.escape(claim.says)} '
        f'<span class="aside">{html.escape(claim.report)}, {html.escape(_counted(judgement))}</span></summary>'
        f"<p><b>Measured:</b> {html.escape(claim.measured)}. "
        f'<a href="{claim.notebook}.ipynb">Notebook {claim.notebook[:2]}</a>.</p>'
        f"{rule}{source}{picture}</details>"
    )


def _counted(judgement: Judgement) -> str:
    return "cited" if judgement.claim.rule is None else judgement.summary


def _forest(findings: Sequence[Finding], rule: Rule, answers: Sequence[str]) -> str:
    """An image of every setting's interval against the threshold."""
    known = [f.value for f in findings if f.value is not None]
    place = _axis([x for value in known for x in value], rule)
    rows = [_row(i, f, a, place) for i, (f, a) in enumerate(zip(findings, answers, strict=True))]
    width, height = LABELS + PLOT + 190, ROW * (len(findings) + 2)
    lines = "".join(_threshold(x, place, height) for x in _thresholds(rule)) if known else ""
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="13">'
           f'<rect width="{width}" height="{height}" fill="white"/>{lines}{"".join(rows)}</svg>')
    alt = "; ".join(f"{f.setting}: {f.value or 'not recorded'}, {a}" for f, a in zip(findings, answers, strict=True))
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}">'


def _thresholds(rule: Rule) -> tuple[float, ...]:
    both = (1 / rule.threshold, rule.threshold)
    return both if rule.sense == "within" else (rule.threshold,)


class _axis:
    """Pixels of a value: logarithmic where everything is positive, else linear."""

    def __init__(self, values: Sequence[float], rule: Rule) -> None:
        shown = [*values, *_thresholds(rule)]
        self.log = min(shown) > 0 and rule.unit != "R²"
        ends = [self._bend(x) for x in (min(shown), max(shown))]
        self.low, self.span = ends[0], (ends[1] - ends[0]) or 1.0

    def _bend(self, value: float) -> float:
        return math.log(value) if self.log else value

    def __call__(self, value: float) -> float:
        return LABELS + 10 + (PLOT - 20) * (self._bend(value) - self.low) / self.span


def _row(i: int, finding: Finding, answer: str, place: _axis) -> str:
    y = ROW * (i + 1) + 4
    label = f'<text x="6" y="{y + 4}">{html.escape(finding.setting)}</text>'
    end = f'<text x="{LABELS + PLOT + 10}" y="{y + 4}">'
    if finding.value is None:
        return f"{label}{end}not recorded</text>"
    estimate, low, high = finding.value
    bar = (f'<line x1="{place(low):.1f}" x2="{place(high):.1f}" y1="{y}" y2="{y}" '
           f'stroke="{PALETTE["ink"]}" stroke-width="3"/>'
           f'<circle cx="{place(estimate):.1f}" cy="{y}" r="5" fill="{PALETTE["ink"]}"/>')
    return f"{label}{bar}{end}{estimate:.3g} ({low:.3g}–{high:.3g}) {answer}</text>"


def _threshold(value: float, place: _axis, height: int) -> str:
    x, end = place(value), height - ROW
    return (f'<line x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="{end}" stroke="{PALETTE["residual"]}" '
            'stroke-width="2" stroke-dasharray="6 4"/>'
            f'<text x="{x:.1f}" y="{end + 14}" text-anchor="middle">{value:.3g}</text>')


_CSS = """<style>
.resfold-group { margin: 1em 0 .3em }
.resfold-claim { border-left: 6px solid; padding: .2em .2em .2em .7em; margin: .25em 0;
  font: 15px/1.45 system-ui, sans-serif; max-width: 62em }
.resfold-claim summary { cursor: pointer }
.resfold-claim .verdict { display: inline-block; min-width: 12.5em }
.resfold-claim .aside { opacity: .75 }
.resfold-claim p { margin: .35em 0 }
.resfold-claim img { max-width: 100% }
</style>"""
