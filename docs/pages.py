"""What is made from recorded tables: README's counts of verdicts, docs/verdicts.md and docs/speed.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from resfold_nb.studies import benchmark, ends, load
from resfold_nb.training.recipes import FROZEN_ON
from resfold_nb.verdict import ledger, report_run
from resfold_nb.verdict.rules import BEFORE
from resfold_nb.workbook import ROOT

README, VERDICTS, SPEED = ROOT / "README.md", ROOT / "docs" / "verdicts.md", ROOT / "docs" / "speed.md"
VERDICTS_HEAD = """# The verdicts

Each measurable claim of the report is an object with a rule, fixed {before} times before the runs that decide it and
{after} times after its study had been seen. This page is made from the recorded studies (CPU, profile laptop) by
`python -m resfold_nb ledger`; notebook 16 opens each line to its numbers. R1 … R17 are the report's statements, in brief in notebook 00.

"""
SPEED_HEAD = """# Speed

`make bench` measures it ([how](../tests/benchmarks/README.md)); this page is made from `data/recorded/benchmarks/` by
`python -m resfold_nb ledger`. *Plain* is the report's model as one would write it first, with our weights and equal
losses and gradients by test; a clean trunk is a change of model, which is why it stands apart.

![Dots with bars from lowest to highest on a logarithmic scale: how many times as fast our training and sampling
are as the plain model and other libraries, full size and small, with a line at 1 and a dashed line at each
target; the table has the numbers](../data/recorded/benchmarks/speed.png)

*The ratios of the table. Made by* `python -m resfold_nb bench figure`.

"""
SPEED_END = ("On {processor}, two cores, torch {torch}; ratios are medians of the repeats, lowest and highest in "
             "brackets. Views are timed in Chromium, which drew the 3D on the processor.")
GPU_END = ("On one {device}, torch {torch}. *Recorded* steps are played from a CUDA graph; *together* are runs of "
           "several forms and seeds in one step (`resfold_nb/engine/together.py`).")

Row = tuple[str, ...]
RATIO, TIMES = "against.notna() and side != against", "{times as fast:.2f} times as fast ({low:.2f}–{high:.2f})"
CPU_ROWS = (
    ("training", RATIO, "training, {benchmark}: {side}", TIMES, "as {against}"),
    ("sampling", RATIO, "sampling, {benchmark}: {side}", TIMES, "as {against}"),
    ("limit", "side.str.startswith('step')", "training step at full size, {side}", "{share of matmul peak:.0%}",
     "of the matmul peak in the same run"),
    ("speedrun", "kind.str.startswith('cold')", "100 residues below 1 Å everywhere, {kind}", "{s:.1f} s",
     "{reached} runs reached it, slowest {s, highest:.1f} s"),
    ("six_forms", "s > 0", "six forms x five seeds, well fed", "{s:.0f} s", "two processes"),
    ("growth", "~along.duplicated('last')", "growth of a training step with {along}, up to {size}",
     "exponent {exponent:.2f}", "over the upper half of the sizes"),
)
GPU_ROWS = (
    ("gpu", RATIO, "{benchmark}: {side}", TIMES, "as {against}"),
    ("gpu", "seconds > 0", "{benchmark}: {side}", "{seconds:.1f} s", ""),
)
"""Benchmark, which of its rows, and the three texts of the page's row, which take the benchmark's columns."""


def pages(readme: str) -> dict[Path, str]:
    """Each generated file as it should be now; `readme` is README's text, of which the counts are a part.

    Raises ValueError when README lacks a marker.
    """
    runs = load("report_run")
    said = report_run.headline(report_run.runs_of(runs), report_run.runs_of(runs, value="rmse"))
    return {README: between(between(readme, "ledger", counts()), "report_run", said),
            VERDICTS: VERDICTS_HEAD.format_map(fixed()) + f"{ledger.markdown()}\n\n{full_size()}\n",
            SPEED: SPEED_HEAD + "\n".join((*speed(), "", "## On a GPU", "", *gpu(), ""))}


def between(text: str, name: str, new: str) -> str:
    """The text with `new` between its markers of that name; ValueError when it lacks one."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{README} lacks the markers {start.strip()} and {end}: put them back around the place of "
                         "the summary")
    return f"{before}{start}\n{new}\n\n{end}{after}"


def fixed() -> dict[str, int]:
    """How many rules were set before and after their study had been seen."""
    rules = [j.claim.rule for each in ledger.judged().values() for j in each if j.claim.rule is not None]
    return {"before": sum(rule.fixed == BEFORE for rule in rules), "after": sum(rule.fixed != BEFORE for rule in rules)}


def counts() -> str:
    """How many claims have which verdict: a row a verdict, a column a group."""
    groups = {name: ledger.counts(each) for name, each in ledger.judged().items()}
    rows = [["verdict", *groups, "all"], ["---"] * (len(groups) + 2)]
    for verdict in next(iter(groups.values())):
        numbers = [each[verdict] for each in groups.values()]
        rows.append([f"**{verdict}**", *map(str, numbers), f"**{sum(numbers)}**"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def full_size() -> str:
    """One protein at full size with a superposed loss: the scaled residual and fix A."""
    found = ends(load("contrast", "gpu")).query(f"recipe == 'superposed loss' and protein == '{FROZEN_ON}'")
    if found.empty:
        return "The full size is not recorded."
    size = load("contrast", "gpu", "runs").query("recipe == 'superposed loss' and form == 'x0'")["parameters"].iloc[0]
    rmsd = found.groupby(["form", "t"])["rmsd"].agg(["median", "min", "max"])
    errors = ["{median:.2f} ({min:.2f}–{max:.2f})".format_map(rmsd.loc[(form, t)])
              for form in ("residual", "x0") for t in (49, "sampled")]
    return ("At full size, with a superposed loss, a rate that falls to zero and 64 noise levels a step, on one protein "
            f"({size / 1e6:.2f} million parameters, study `contrast_gpu`, superposed, median and range over seeds): "
            "the scaled residual errs by {} Å at t = 49 and {} Å in samples, fix A by {} Å and {} Å. Notebooks 06, "
            "07 and 16 say more.").format(*errors)


def speed() -> Iterator[str]:
    """A table of the recorded benchmarks, or that there are none."""
    tables = [line[0] for line in CPU_ROWS] + ["views", "walls_laptop", "walls_ci", "walls_tests", "calls_enough"]
    return _page([*_rows(CPU_ROWS), *_calls(), *_views(), *_walls()], tables, SPEED_END)


def gpu() -> Iterator[str]:
    """The same of what was measured on a GPU."""
    return _page([*_rows(GPU_ROWS), *_gpu_share(), *_precisions()], ["gpu", "gpu_precision", "precision"], GPU_END)


def _page(rows: list[Row], tables: list[str], end: str) -> Iterator[str]:
    """The rows as Markdown, and the machine of the first of the tables that is recorded."""
    if not rows:
        yield "Not recorded."
        return
    yield "| what | measured | |\n|---|---|---|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield "\n" + end.format_map(next(found.iloc[0] for name in tables if not (found := benchmark(name)).empty))


def _rows(lines: Iterable[tuple[str, ...]]) -> Iterator[Row]:
    for name, query, *texts in lines:
        if not (table := benchmark(name)).empty:
            shorter = table.query(query).replace({"side": {"^step, |, in s$": ""}}, regex=True)
            yield from (tuple(text.format_map(row) for text in texts) for row in shorter.to_dict("records"))


def _gpu_share() -> Iterator[Row]:
    """The share of the bf16 matmul peak as a step takes more noise levels, of the sides measured at each."""
    if (rows := benchmark("gpu")).empty:
        return
    rows = rows.dropna(subset="share of bf16 peak").drop_duplicates(["benchmark", "side"], keep="last")
    for side, mine in rows.groupby("side", sort=False):
        if len(mine) == rows["benchmark"].nunique():
            levels = ", ".join(name.split(", ")[-1].split()[0] for name in mine["benchmark"])
            yield (f"full size, {side}: {levels} noise levels",
                   ", ".join(f"{share:.1%}" for share in mine["share of bf16 peak"]),
                   f"of the bf16 matmul peak, {mine['bf16 matmul peak, TFLOP/s'].iloc[-1]:.0f} TFLOP/s in the same run")


def _precisions() -> Iterator[Row]:
    """How many medians of other precisions lie within the range of fp32's seeds."""
    for name, where in (("gpu_precision", "GPU"), ("precision", "CPU")):
        if (table := benchmark(name)).empty:
            continue
        errors = table.groupby(["precision", "form", "at"])["RMSE (Å)"].agg(["median", "min", "max"])
        for kind in sorted({*table["precision"]} - {"fp32"}):
            medians = errors.loc[kind]["median"]
            fp32 = errors.loc["fp32"].loc[medians.index]
            yield (f"error by timestep, {kind} against fp32, full size, {where}",
                   f"{medians.between(fp32['min'], fp32['max']).sum()} of {len(medians)} medians",
                   f"within the range of fp32's seeds; largest ratio of medians {(medians / fp32['median']).max():.2f}")


def _calls() -> Iterator[Row]:
    """A row a setting and sampler: how many variants need at most the target, and how many calls A needs."""
    table = benchmark("calls_enough")
    for (setting, sampler), rows in () if table.empty else table.groupby(["setting", "sampler"], sort=False):
        a = rows.query("variant == 'A'").iloc[0]
        yield (f"few calls, {setting}, {sampler.upper()}", f"{_met(rows)} of {len(rows)} variants",
               f"as good with at most {a['target']} calls as with 49; A with {a['enough']}, "
               f"its RMSD with 49 calls {a['RMSD of 49 calls (Å)']:.2f} Å")


def _views() -> Iterator[Row]:
    for row in benchmark("views").to_dict("records"):
        text = "{median:.3g} {unit}" + (" ({lowest:.3g}–{highest:.3g})" if row["lowest"] < row["highest"] else "")
        yield row["what"], text.format_map(row), f"{_judged(row)}, at most {row['aim']:g}"


def _walls() -> Iterator[Row]:
    """The longest notebook where each has a target, and the whole of each part."""
    for table in filter(len, map(benchmark, ("walls_laptop", "walls_ci", "walls_tests"))):
        whole, aimed = table.iloc[-1], table.iloc[:-1].dropna(subset="target")
        if len(aimed):
            text = f"{_met(aimed)} of {len(aimed)} take at most {{target:.0f}} s"
            longest = aimed.loc[aimed["s"].idxmax()]
            yield tuple(each.format_map(longest) for each in ("{what}: the longest, {part}", "{s:.0f} s", text))
        aim = f"{_judged(whole)}, at most {whole['target']:.0f}; " if whole["target"] > 0 else ""
        yield f"{whole['what']}: {whole['part']}", f"{whole['s']:.0f} s", f"{aim}{whole['outcome']}"


def _met(rows: Any) -> int:
    return (rows["met"].astype(str) == "True").sum()


def _judged(row: Mapping[str, Any]) -> str:
    return {"True": "target met", "False": "target missed"}.get(str(row["met"]), "target not decided: on both sides")


def write() -> int:
    """Bring README.md, docs/verdicts.md and docs/speed.md up to date."""
    found = pages(README.read_text(encoding="utf-8"))
    for path, text in found.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {sum(map(len, ledger.CLAIMS.values()))} verdicts and the benchmarks to "
          f"{', '.join(path.name for path in found)}")
    return 0
