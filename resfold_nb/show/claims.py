"""The ledger of verdicts: a line a claim, each opening to its rule and its numbers; and the report's run."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from IPython.display import HTML, display

from resfold_nb.show.frames import scatter
from resfold_nb.show.theme import PALETTE
from resfold_nb.show.view import source, svg_image
from resfold_nb.studies.repairs import FALLS, PLANNED
from resfold_nb.verdict import Finding, Judgement, Rule
from resfold_nb.verdict.report_run import NEAR, REPORT

if TYPE_CHECKING:
    import pandas as pd

VERDICT_MARKS = {"supported": ("✓", PALETTE["x0"]), "refuted": ("✗", PALETTE["residual"]),
         "depends on the regime": ("±", PALETTE["eps"]), "not decided": ("?", "#757575")}
"""Sign and colour of a verdict: the sign tells them apart without colour."""

DRAWS = {("1 draw", PLANNED): "#D55E00", ("1 draw", FALLS): "#F2B38A", ("4 draws", PLANNED): "#0072B2",
         ("4 draws", FALLS): "#8CC3E4", ("64 draws", PLANNED): "#00664A", ("64 draws", FALLS): "#7FD1B5"}
"""Colour of the draws in an update (a hue) and the rate (strong or pale) in `report_run`."""

LABELS, PLOT, ROW = 440, 300, 22  # pixels: width of labels, width of the plot, height of a row


def report_run(runs: pd.DataFrame, plain: bool = False) -> None:
    """Draw every run of `verdict.report_run.runs_of` as a point, the report's among them; `plain` names the errors."""
    kind, how = ("RMSE", "plain") if plain else ("RMSD", "superposed")
    draws = runs["setting"].str.extract("(1 draw|64 draws)$")[0].fillna("4 draws")
    labels = {key: ", ".join(key) for key in DRAWS}
    told = runs.assign(draws=[labels.get(key, key[1]) for key in zip(draws, runs["change"], strict=True)])
    scatter(told, x="t = 49", y="sampled", colour="draws", shape="variant",
            star=("the report", *REPORT.values(), NEAR), colours={labels[key]: colour for key, colour in DRAWS.items()},
            titles={"t = 49": f"error of one step at t = 49, {kind} (Å)", "sampled": f"error of samples, {kind} (Å)",
                    "draws": "draws an update, rate", "variant": "form"},
            title=f"What the report's run can have been: every run a point ({how})",
            alt=f"{len(runs)} recorded runs (CPU, profile laptop, after 500 micro-steps): {how} error at t = 49 "
                "against that of samples. Colour: noise levels drawn in an update and the rate; symbol: the form. "
                f"The star is the report's run; the dotted frame holds what lies within a factor {NEAR:g} of it.")


def ledger(groups: Mapping[str, Sequence[Judgement]]) -> None:
    """Display every claim under its group's heading; a click or Enter opens a row."""
    parts = [f"<style>{source('claims.css')}</style>"]
    for group, judgements in groups.items():
        parts.append(f'<h4 class="resfold-group">{html.escape(group[:1].upper() + group[1:])}</h4>')
        parts += [_claim(judgement) for judgement in judgements]
    display(HTML("".join(parts)))


def _claim(judgement: Judgement) -> str:
    claim, (sign, colour) = judgement.claim, VERDICT_MARKS[judgement.verdict]
    rule = "" if claim.rule is None else f"<p><b>Rule:</b> {html.escape(str(claim.rule))}.</p>"
    source = f"<p><b>Source:</b> {html.escape(claim.source)}.</p>" if claim.source else ""
    picture = _forest(judgement.findings, claim.rule, judgement.answers) if claim.rule else ""
    aside = f"{claim.report}, {'cited' if claim.rule is None else judgement.summary}"
    return (
        f'<details class="resfold-claim" style="border-left-color:{colour}"><summary>'
        f'<b class="verdict">{sign} {judgement.verdict}</b> {html.escape(claim.says)} '
        f'<span class="aside">{html.escape(aside)}</span></summary>'
        f"<p><b>Measured:</b> {html.escape(claim.measured)}. "
        f'<a href="{claim.notebook}.ipynb">Notebook {claim.notebook[:2]}</a>.</p>'
        f"{rule}{source}{picture}</details>"
    )


def _forest(findings: Sequence[Finding], rule: Rule, answers: Sequence[str]) -> str:
    """An image of every setting's interval against the threshold; a logarithmic axis where everything is positive."""
    limits = (1 / rule.threshold, rule.threshold) if rule.sense == "within" else (rule.threshold,)
    known = [x for f in findings if f.value is not None for x in f.value]
    log = min([*known, *limits]) > 0 and rule.unit != "R²"
    bend = math.log if log else float
    low, high = (bend(end([*known, *limits])) for end in (min, max))

    def place(value: float) -> float:
        return LABELS + 10 + (PLOT - 20) * (bend(value) - low) / ((high - low) or 1.0)

    width, height = LABELS + PLOT + 190, ROW * (len(findings) + 2)
    rows = [_row(ROW * (i + 1) + 4, f, a, place) for i, (f, a) in enumerate(zip(findings, answers, strict=True))]
    lines = [f'<line x1="{place(x):.1f}" x2="{place(x):.1f}" y1="8" y2="{height - ROW}" '
             f'stroke="{PALETTE["residual"]}" stroke-width="2" stroke-dasharray="6 4"/><text x="{place(x):.1f}" y="{height - ROW + 14}" '
             f'text-anchor="middle">{x:.3g}</text>' for x in (limits if known else ())]
    alt = "; ".join(f"{f.setting}: {f.value or 'not recorded'}, {a}" for f, a in zip(findings, answers, strict=True))
    return svg_image("".join(lines + rows), width, height, alt)


def _row(y: int, finding: Finding, answer: str, place: Callable[[float], float]) -> str:
    label = f'<text x="6" y="{y + 4}">{html.escape(finding.setting)}</text>'
    end = f'<text x="{LABELS + PLOT + 10}" y="{y + 4}">'
    if finding.value is None:
        return f"{label}{end}not recorded</text>"
    estimate, low, high = finding.value
    ink = PALETTE["ink"]
    bar = (f'<line x1="{place(low):.1f}" x2="{place(high):.1f}" y1="{y}" y2="{y}" stroke="{ink}" stroke-width="3"/>'
           f'<circle cx="{place(estimate):.1f}" cy="{y}" r="5" fill="{ink}"/>')
    return f"{label}{bar}{end}{estimate:.3g} ({low:.3g}–{high:.3g}) {answer}</text>"
