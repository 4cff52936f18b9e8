"""What is made from recorded tables: README's counts of verdicts, docs/verdicts.md and docs/speed.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resfold_nb.studies import benchmark, ends, load
from resfold_nb.training.recipes import FROZEN_ON
from resfold_nb.verdict import ledger
from resfold_nb.workbook.paths import ROOT

if TYPE_CHECKING:
    import pandas as pd

README, VERDICTS, SPEED = ROOT / "README.md", ROOT / "docs" / "verdicts.md", ROOT / "docs" / "speed.md"
VERDICTS_HEAD = """# The verdicts

Each measurable claim of the report is an object with a rule, most of them fixed before the runs that decide it. This
page is made from the recorded studies (CPU, profile laptop) by `python -m resfold_nb ledger`; notebook 16 opens each
line to its numbers. R1 … R17 are the report's statements, in brief in notebook 00.

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
MACHINE_FROM = ("training", "sampling", "speedrun", "six_forms", "growth", "limit", "views", "walls_laptop",
                "walls_ci", "walls_tests", "calls_enough")
"""The table names the machine of the first of these that is recorded."""


def pages(readme: str) -> dict[Path, str]:
    """Each generated file as it should be now; `readme` is README's text, of which the counts are a part.

    Raises ValueError when README lacks a marker.
    """
    start, end = "<!-- ledger -->\n", "<!-- /ledger -->"
    before, found, rest = readme.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{README} lacks the markers {start.strip()} and {end}: put them back around the place of "
                         "the summary")
    return {README: f"{before}{start}\n{counts()}\n\n{end}{after}",
            VERDICTS: VERDICTS_HEAD + f"{ledger.markdown()}\n\n{full_size()}\n",
            SPEED: SPEED_HEAD + "\n".join((*speed(), "", "## On a GPU", "", *gpu(), ""))}


def counts() -> str:
    """How many claims have which verdict: a row a verdict, a column a group."""
    groups = {name: ledger.counts(each) for name, each in ledger.judged().items()}
    rows = [["verdict", *groups, "all"], ["---"] * (len(groups) + 2)]
    for verdict in next(iter(groups.values())):
        numbers = [each[verdict] for each in groups.values()]
        rows.append([f"**{verdict}**", *map(str, numbers), f"**{sum(numbers)}**"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def full_size() -> str:
    """One protein at full size with the public code's recipe: the scaled residual and fix A."""
    found = ends(load("contrast", "gpu"))
    found = found[(found["recipe"] == "as published") & (found["protein"] == FROZEN_ON)]
    if found.empty:
        return "The full size is not recorded."
    size = load("contrast", "gpu", "runs").query("recipe == 'as published' and form == 'x0'")["parameters"].iloc[0]
    errors = [_spread(found.loc[(found["form"] == form) & (found["t"] == t), "rmsd"])
              for form in ("residual", "x0") for t in (49, "sampled")]
    return ("At full size, with the public code's own recipe on one protein "
            f"({size / 1e6:.2f} million parameters, study `contrast_gpu`, superposed, median and range over seeds): "
            "the scaled residual errs by {} Å at t = 49 and {} Å in samples, fix A by {} Å and {} Å. Notebooks 06, "
            "07 and 16 say more.").format(*errors)


def _spread(values: pd.Series[float]) -> str:
    """Median (lowest–highest)."""
    return f"{values.median():.2f} ({values.min():.2f}–{values.max():.2f})"


def _rows(name: str) -> list[dict[str, Any]]:
    """A benchmark's table, with an empty text where a row has no value."""
    table = benchmark(name)
    return table.astype(object).where(table.notna(), "").to_dict("records")


def speed() -> Iterator[str]:
    """A table of the recorded benchmarks, or that there are none."""
    rows = [*_ratios("training"), *_ratios("sampling"), *_others(), *_calls(), *_views(), *_walls()]
    if not rows:
        yield "Not recorded."
        return
    yield "| what | measured | |\n|---|---|---|"
    yield from (f"| {what} | {value} | {note} |" for what, value, note in rows)
    machine = next(found[0] for name in MACHINE_FROM if (found := _rows(name)))
    yield (f"\nOn {machine['processor']}, two cores, torch {machine['torch']}; ratios are medians of the "
           "repeats, lowest and highest in brackets. Views are timed in Chromium, which drew the 3D on the "
           "processor.")


def gpu() -> Iterator[str]:
    """The same of what was measured on a GPU."""
    rows = [*_ratios("gpu"), *_gpu_seconds(), *_gpu_share(), *_bands()]
    if not rows:
        yield "Not recorded."
        return
    yield "| what | measured | |\n|---|---|---|"
    yield from (f"| {what} | {value} | {note} |" for what, value, note in rows)
    machine = (_rows("gpu") or _rows("gpu_precision"))[0]
    yield (f"\nOn one {machine['device']}, torch {machine['torch']}. *Recorded* steps are played from a CUDA graph; "
           "*together* are runs of several forms and seeds in one step (`resfold_nb/engine/together.py`).")


def _gpu_seconds() -> Iterator[tuple[str, str, str]]:
    for row in _rows("gpu"):
        if row["seconds"]:
            yield f"{row['benchmark']}: {row['side'].removesuffix(', in s')}", f"{float(row['seconds']):.1f} s", ""


def _gpu_share() -> Iterator[tuple[str, str, str]]:
    """The share of the bf16 matmul peak as a step takes more noise levels, of the sides measured at each."""
    rows = [row for row in _rows("gpu") if row["share of bf16 peak"]]
    levels = dict.fromkeys(row["benchmark"] for row in rows)
    for side in dict.fromkeys(row["side"] for row in rows):
        mine = {row["benchmark"]: row for row in rows if row["side"] == side}
        if len(mine) == len(levels):
            last = list(mine.values())[-1]
            yield (f"full size, {side}: {', '.join(b.split(', ')[-1].split()[0] for b in mine)} noise levels",
                   ", ".join(f"{float(row['share of bf16 peak']):.1%}" for row in mine.values()),
                   f"of the bf16 matmul peak, {float(last['bf16 matmul peak, TFLOP/s']):.0f} TFLOP/s in the same run")


def _bands() -> Iterator[tuple[str, str, str]]:
    """How many medians of other precisions lie within the range of fp32's seeds."""
    for table, where in (("gpu_precision", "GPU"), ("precision", "CPU")):
        found = _by_look(_rows(table))
        for kind in sorted({kind for kinds in found.values() for kind in kinds} - {"fp32"}):
            places = [kinds for kinds in found.values() if kind in kinds]
            inside = sum(min(k["fp32"]) <= statistics.median(k[kind]) <= max(k["fp32"]) for k in places)
            worst = max(statistics.median(k[kind]) / statistics.median(k["fp32"]) for k in places)
            yield (f"error by timestep, {kind} against fp32, full size, {where}",
                   f"{inside} of {len(places)} medians",
                   f"within the range of fp32's seeds; largest ratio of medians {worst:.2f}")


def _by_look(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """(form, timestep) -> precision -> errors of the seeds."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        kinds = found.setdefault((row["form"], row["at"]), {})
        kinds.setdefault(row["precision"], []).append(float(row["RMSE (Å)"]))
    return found


def _ratios(name: str) -> Iterator[tuple[str, str, str]]:
    for row in _rows(name):
        if row["against"] and row["side"] != row["against"]:
            times, low, high = (float(row[k]) for k in ("times as fast", "low", "high"))
            yield (f"{'' if name == 'gpu' else name + ', '}{row['benchmark']}: {row['side']}",
                   f"{times:.2f} times as fast ({low:.2f}–{high:.2f})", f"as {row['against']}")


def _others() -> Iterator[tuple[str, str, str]]:
    for row in _rows("limit"):
        if row["side"].startswith("step"):
            yield (f"training step at full size, {row['side'].removeprefix('step, ')}",
                   f"{float(row['share of matmul peak']):.0%}", "of the matmul peak in the same run")
    for row in _rows("speedrun"):
        if row["kind"].startswith("cold"):
            yield (f"100 residues below 1 Å everywhere, {row['kind']}", f"{float(row['s']):.1f} s",
                   f"{row['reached']} runs reached it, slowest {float(row['s, highest']):.1f} s")
    for row in _rows("six_forms"):
        yield "six forms x five seeds, well fed", f"{float(row['s']):.0f} s", "two processes"
    for along, row in {row["along"]: row for row in _rows("growth")}.items():
        yield (f"growth of a training step with {along}, up to {row['size']}",
               f"exponent {float(row['exponent']):.2f}", "over the upper half of the sizes")


def _calls() -> Iterator[tuple[str, str, str]]:
    """A row a setting and sampler: how many variants need at most the target, and how many calls A needs."""
    table = _rows("calls_enough")
    for setting, sampler in dict.fromkeys((row["setting"], row["sampler"]) for row in table):
        rows = [row for row in table if (row["setting"], row["sampler"]) == (setting, sampler)]
        met = sum(str(row["met"]) == "True" for row in rows)
        a = next(row for row in rows if row["variant"] == "A")
        yield (f"few calls, {setting}, {sampler.upper()}", f"{met} of {len(rows)} variants",
               f"as good with at most {a['target']} calls as with 49; A with {a['enough']}, "
               f"its RMSD with 49 calls {float(a['RMSD of 49 calls (Å)']):.2f} Å")


def _views() -> Iterator[tuple[str, str, str]]:
    for row in _rows("views"):
        middle, low, high, aim = (float(row[k]) for k in ("median", "lowest", "highest", "aim"))
        spread = f" ({low:.3g}–{high:.3g})" if low < high else ""
        yield row["what"], f"{middle:.3g} {row['unit']}{spread}", f"{_judged(row)}, at most {aim:g}"


def _walls() -> Iterator[tuple[str, str, str]]:
    """The longest notebook where each has a target, and the whole of each part."""
    for part in ("laptop", "ci", "tests"):
        *each, whole = _rows(f"walls_{part}") or [None]
        aimed = [row for row in each if row["target"]]
        if aimed:
            longest = max(aimed, key=lambda row: float(row["s"]))
            met = sum(str(row["met"]) == "True" for row in aimed)
            yield (f"{longest['what']}: the longest, {longest['part']}", f"{float(longest['s']):.0f} s",
                   f"{met} of {len(aimed)} take at most {float(longest['target']):.0f} s")
        if whole:
            aim = f"{_judged(whole)}, at most {float(whole['target']):.0f}; " if whole["target"] else ""
            yield f"{whole['what']}: {whole['part']}", f"{float(whole['s']):.0f} s", f"{aim}{whole['outcome']}"


def _judged(row: dict[str, Any]) -> str:
    return {"True": "target met", "False": "target missed"}.get(str(row["met"]), "target not decided: on both sides")


def write() -> None:
    """Bring README.md, docs/verdicts.md and docs/speed.md up to date."""
    found = pages(README.read_text(encoding="utf-8"))
    for path, text in found.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {sum(map(len, ledger.CLAIMS.values()))} verdicts and the benchmarks to "
          f"{', '.join(path.name for path in found)}")
