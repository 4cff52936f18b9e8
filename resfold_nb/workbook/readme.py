"""The parts of README.md that are made from recorded tables: the verdicts and the speed."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from resfold_nb.studies import median_range, recorded_benchmark, recorded_budget, recorded_ends
from resfold_nb.training import named_recipe
from resfold_nb.training.recipes import FROZEN_ON
from resfold_nb.verdict import ledger
from resfold_nb.workbook.paths import ROOT

README = ROOT / "README.md"
MACHINE_FROM = ("training", "sampling", "speedrun", "six_forms", "growth", "limit", "views", "walls_laptop",
                "walls_ci", "walls_tests", "calls_enough")
"""The table names the machine of the first of these that is recorded."""


def updated(text: str) -> str:
    """`text` with the present summaries between their markers.

    Raises ValueError when a marker is missing.
    """
    parts = {"ledger": f"{ledger.markdown()}\n\n{full_size()}", "speed": "\n".join(speed()), "gpu": "\n".join(gpu())}
    for name, content in parts.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{README} lacks the markers {start.strip()} and {end}: put them back "
                             "around the place of the summary")
        text = f"{before}{start}\n{content}\n\n{end}{after}"
    return text


def full_size() -> str:
    """One protein at full size with the public code's recipe: the broken form and fix A."""
    recipes = {form: named_recipe("as_published", "gpu", form=form) for form in ("residual", "x0")}
    budget = recorded_budget("contrast_gpu", recipes["x0"], FROZEN_ON)
    if budget is None:
        return "The full size is not recorded."
    found = {form: [median_range(recorded_ends("contrast_gpu", recipe, [FROZEN_ON], t, superposed=True))
                    for t in (49, "sampled")] for form, recipe in recipes.items()}
    return ("At full size, with the public code's own recipe on one protein "
            f"({budget['parameters'] / 1e6:.2f} million parameters, study `contrast_gpu`, superposed, median and "
            "range over seeds): the broken form errs by {} Å at t = 49 and {} Å in samples, fix A by {} Å and {} Å. "
            "Notebooks 06, 07 and 16 say more.").format(*found["residual"], *found["x0"])


def speed() -> Iterator[str]:
    """A table of the recorded benchmarks, or that there are none."""
    rows = [*_ratios("training"), *_ratios("sampling"), *_others(), *_calls(), *_views(), *_walls()]
    if not rows:
        yield "Not recorded."
        return
    yield "| what | measured | |\n|---|---|---|"
    yield from (f"| {what} | {value} | {note} |" for what, value, note in rows)
    machine = next(found[0] for name in MACHINE_FROM if (found := recorded_benchmark(name)))
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
    machine = (recorded_benchmark("gpu") or recorded_benchmark("gpu_precision"))[0]
    yield (f"\nOn one {machine['device']}, torch {machine['torch']}. *Recorded* steps are played from a CUDA graph; "
           "*together* are runs of several forms and seeds in one step (`resfold_nb/training/together.py`).")


def _gpu_seconds() -> Iterator[tuple[str, str, str]]:
    for row in recorded_benchmark("gpu"):
        if row["seconds"]:
            yield f"{row['benchmark']}: {row['side'].removesuffix(', in s')}", f"{float(row['seconds']):.1f} s", ""


def _gpu_share() -> Iterator[tuple[str, str, str]]:
    """The share of the bf16 matmul peak as a step takes more noise levels, of the sides measured at each."""
    rows = [row for row in recorded_benchmark("gpu") if row["share of bf16 peak"]]
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
        found = _by_look(recorded_benchmark(table))
        for kind in sorted({kind for kinds in found.values() for kind in kinds} - {"fp32"}):
            places = [kinds for kinds in found.values() if kind in kinds]
            inside = sum(min(k["fp32"]) <= statistics.median(k[kind]) <= max(k["fp32"]) for k in places)
            worst = max(statistics.median(k[kind]) / statistics.median(k["fp32"]) for k in places)
            yield (f"error by timestep, {kind} against fp32, full size, {where}", f"{inside} of {len(places)} medians",
                   f"within the range of fp32's seeds; largest ratio of medians {worst:.2f}")


def _by_look(rows: list[dict[str, str]]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """(form, timestep) -> precision -> errors of the seeds."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        kinds = found.setdefault((row["form"], row["at"]), {})
        kinds.setdefault(row["precision"], []).append(float(row["RMSE (Å)"]))
    return found


def _ratios(name: str) -> Iterator[tuple[str, str, str]]:
    for row in recorded_benchmark(name):
        if row["against"] and row["side"] != row["against"]:
            times, low, high = (float(row[k]) for k in ("times as fast", "low", "high"))
            yield (f"{'' if name == 'gpu' else name + ', '}{row['benchmark']}: {row['side']}",
                   f"{times:.2f} times as fast ({low:.2f}–{high:.2f})", f"as {row['against']}")


def _others() -> Iterator[tuple[str, str, str]]:
    for row in recorded_benchmark("limit"):
        if row["side"].startswith("step"):
            yield (f"training step at full size, {row['side'].removeprefix('step, ')}",
                   f"{float(row['share of matmul peak']):.0%}", "of the matmul peak in the same run")
    for row in recorded_benchmark("speedrun"):
        if row["kind"].startswith("cold"):
            yield (f"100 residues below 1 Å everywhere, {row['kind']}", f"{float(row['s']):.1f} s",
                   f"{row['reached']} runs reached it, slowest {float(row['s, highest']):.1f} s")
    for row in recorded_benchmark("six_forms"):
        yield "six forms x five seeds, well fed", f"{float(row['s']):.0f} s", "two processes"
    for along, row in {row["along"]: row for row in recorded_benchmark("growth")}.items():
        yield (f"growth of a training step with {along}, up to {row['size']}",
               f"exponent {float(row['exponent']):.2f}", "over the upper half of the sizes")


def _calls() -> Iterator[tuple[str, str, str]]:
    """A row a setting and sampler: how many variants need at most the target, and how many calls A needs."""
    table = recorded_benchmark("calls_enough")
    for setting, sampler in dict.fromkeys((row["setting"], row["sampler"]) for row in table):
        rows = [row for row in table if (row["setting"], row["sampler"]) == (setting, sampler)]
        met = sum(row["met"] == "True" for row in rows)
        a = next(row for row in rows if row["variant"] == "A")
        yield (f"few calls, {setting}, {sampler.upper()}", f"{met} of {len(rows)} variants",
               f"as good with at most {a['target']} calls as with 49; A with {a['enough']}, "
               f"its RMSD with 49 calls {float(a['RMSD of 49 calls (Å)']):.2f} Å")


def _views() -> Iterator[tuple[str, str, str]]:
    for row in recorded_benchmark("views"):
        middle, low, high, aim = (float(row[k]) for k in ("median", "lowest", "highest", "aim"))
        spread = f" ({low:.3g}–{high:.3g})" if low < high else ""
        yield row["what"], f"{middle:.3g} {row['unit']}{spread}", f"{_judged(row)}, at most {aim:g}"


def _walls() -> Iterator[tuple[str, str, str]]:
    """The longest notebook where each has a target, and the whole of each part."""
    for part in ("laptop", "ci", "tests"):
        *each, whole = recorded_benchmark(f"walls_{part}") or [None]
        aimed = [row for row in each if row["target"]]
        if aimed:
            longest = max(aimed, key=lambda row: float(row["s"]))
            met = sum(row["met"] == "True" for row in aimed)
            yield (f"{longest['what']}: the longest, {longest['part']}", f"{float(longest['s']):.0f} s",
                   f"{met} of {len(aimed)} take at most {float(longest['target']):.0f} s")
        if whole:
            aim = f"{_judged(whole)}, at most {float(whole['target']):.0f}; " if whole["target"] else ""
            yield f"{whole['what']}: {whole['part']}", f"{float(whole['s']):.0f} s", f"{aim}{whole['outcome']}"


def _judged(row: dict[str, str]) -> str:
    return {"True": "target met", "False": "target missed"}.get(row["met"], "target not decided: on both sides")


def write() -> None:
    """Bring README.md up to date."""
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote the summary of {sum(map(len, ledger.CLAIMS.values()))} verdicts and of the "
          f"benchmarks to {README}")
