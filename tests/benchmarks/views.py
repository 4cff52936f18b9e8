"""How fast the views answer in a real Chromium, what scrubbing leaves behind, what live training costs."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import papermill
import torch
from benchmarks.chromium import opened
from benchmarks.harness import record
from benchmarks.live_overhead import overheads
from browser.checking import SETTLED
from browser.test_player import FAR, LONG, MEASURE, START, write_notebook

from resfold_nb.show import export_html
from resfold_nb.workbook import ROOT

REPEATS, ROUNDS = 7, 10
AIM_MS, AIM_MB, AIM_LIVE = 33.0, 3.0, 1.1
SCRUBBER = """from resfold_nb.data import make_batch
from resfold_nb.training import build, named_recipe
batch, model = make_batch(protein), build(named_recipe("well_fed", form="x0"))
"""
ONE_PANE = "show.noising(batch, model.schedule, alt='The noise takes over.')"
TWO_PANES = "show.denoising({'A': model}, batch, alt='A model that was not trained denoises.')"
# the player is the third slider of the page and its fourth pane, as `MEASURE` expects it to be
CELLS = (START, FAR, LONG, SCRUBBER + ONE_PANE, TWO_PANES)
CHARTS = {"one pane": (3, 0), "two panes": (4, 1)}  # place of the slider and of the chart
MARKER = """async ([k, j]) => {
  const slider = document.querySelectorAll('.resfold-scrubber input[type=range]')[k];
  const box = document.querySelectorAll('.resfold-curves')[j];
  slider.scrollIntoView({ block: 'center' });
  const times = [], tick = () => new Promise(requestAnimationFrame);
  for (let t = 1; t < 50; t++) {
    const start = performance.now();
    slider.value = t;
    slider.dispatchEvent(new Event('input'));
    while (box.dataset.frame !== String(t)) await tick();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[24];
}"""


def row(what: str, values: Sequence[float], unit: str, aim: float) -> dict[str, Any]:
    """Median, lowest and highest of the repeats; met or missed where all of them are on one side of the aim."""
    low, high = min(values), max(values)
    met = None if low <= aim < high else high <= aim
    return {"what": what, "median": statistics.median(values), "lowest": low, "highest": high,
            "unit": unit, "aim": aim, "met": met, "repeats": len(values)}


def page_of_views(folder: Path) -> Path:
    """The views, executed and exported."""
    done = folder / "out.ipynb"
    papermill.execute_notebook(write_notebook(folder / "in.ipynb", CELLS), done, progress_bar=False,
                               cwd=ROOT, execution_timeout=120)
    return export_html(done, folder / "views.html")


def in_chromium() -> Iterator[dict[str, Any]]:
    """Draw time, slider to marker, and heap. A wait for the next picture, 17 ms at most, is part of each time."""
    with tempfile.TemporaryDirectory() as folder, \
            opened(page_of_views(Path(folder)), viewport={"width": 1200, "height": 900}) as page:
        page.wait_for_function(SETTLED, timeout=60_000)
        player = page.locator(".resfold-stage").nth(3)
        player.scroll_into_view_if_needed()
        yield row("player, 200 residues: from slider to drawn frame", rounds(page, MEASURE, 3), "ms", AIM_MS)
        yield row(f"player: heap left by {49 * ROUNDS} scrubs", [heap_left(page)], "MB", AIM_MB)
        for panes, places in CHARTS.items():
            yield row(f"timestep scrubber, {panes}: from slider to marker",
                      rounds(page, MARKER, places), "ms", AIM_MS)


def rounds(page: Any, script: str, argument: object) -> list[float]:
    """The medians of several rounds of 49 frames; the first one warms up and does not count."""
    return [page.evaluate(script, argument) for _ in range(REPEATS + 1)][1:]


def heap_left(page: Any) -> float:
    """MB of script memory that scrubbing the player leaves after a garbage collection."""
    client = page.context.new_cdp_session(page)

    def used() -> float:
        client.send("HeapProfiler.collectGarbage")
        return client.send("Runtime.getHeapUsage")["usedSize"] / 1e6

    before = used()
    for _ in range(ROUNDS):
        page.evaluate(MEASURE, 3)
    return used() - before


def live() -> Iterator[dict[str, Any]]:
    """Live training over the bare loop, by the clock and in processor time."""
    for recipe, pairs in overheads().items():
        for values, kind in zip(zip(*pairs, strict=True), ("by the clock", "processor time"), strict=True):
            yield row(f"live training over the bare loop, {recipe}, {kind}", values, "times", AIM_LIVE)


def main() -> None:
    """All of it; about two minutes."""
    torch.set_num_threads(1)
    record("views", [*in_chromium(), *live()])


if __name__ == "__main__":
    main()
