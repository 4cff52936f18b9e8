"""The parts of README.md that are made from recorded tables: the verdicts and the speed."""

from __future__ import annotations

from collections.abc import Iterator

from resfold_nb.analysis import ledger, recorded_benchmark
from resfold_nb.workbook.paths import ROOT

README = ROOT / "README.md"


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
    rows = [*_ratios("training"), *_ratios("sampling"), *_others()]
    if not rows:
        yield "Not recorded."
        return
    yield "| what | measured | |\n|---|---|---|"
    yield from (f"| {what} | {value} | {note} |" for what, value, note in rows)
    machine = (recorded_benchmark("training") or recorded_benchmark("speedrun"))[0]
    yield (f"\nOn {machine['processor']}, two cores, torch {machine['torch']}; ratios are medians of the "
           "repeats, lowest and highest in brackets.")


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


def write() -> None:
    """Bring README.md up to date."""
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote the summary of {sum(map(len, ledger.CLAIMS.values()))} verdicts and of the "
          f"benchmarks to {README}")
