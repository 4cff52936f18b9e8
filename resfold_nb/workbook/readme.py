"""The parts of README.md that are made from recorded tables: the verdicts and the speed."""

from __future__ import annotations

from collections.abc import Iterator

from resfold_nb.analysis import ledger, recorded_benchmark
from resfold_nb.workbook.paths import ROOT

README = ROOT / "README.md"
MACHINE_FROM = ("training", "sampling", "speedrun", "six_forms", "growth", "limit", "views", "walls_laptop",
                "walls_ci", "walls_tests", "calls_enough")
"""The table names the machine of the first of these that is recorded."""


def updated(text: str) -> str:
    """`text` with the present summaries between their markers.

    Raises ValueError when a marker is missing.
    """
    for name, content in (("ledger", ledger.markdown()), ("speed", "\n".join(speed()))):
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{README} lacks the markers {start.strip()} and {end}: put them back "
                             "around the place of the summary")
        text = f"{before}{start}\n{content}\n\n{end}{after}"
    return text


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


def _ratios(name: str) -> Iterator[tuple[str, str, str]]:
    for row in recorded_benchmark(name):
        if row["side"] != row["against"]:
            times, low, high = (float(row[k]) for k in ("times as fast", "low", "high"))
            yield (f"{name}, {row['benchmark']}: {row['side']}",
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
