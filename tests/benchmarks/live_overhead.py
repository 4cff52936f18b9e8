"""How much slower live training is than the bare loop, in a real kernel. Run by hand:

    OMP_NUM_THREADS=1 python tests/benchmarks/live_overhead.py

A kernel trains plainly and live in turn, several times; no measurement falls on a step. The
messages to a browser are made and sent, but no browser reads them.
"""

from __future__ import annotations

from jupyter_client.manager import start_new_kernel

REPEATS, STEPS = 7, 200

CODE = f"""
import asyncio, gc, statistics, time
from resfold_nb import show
from resfold_nb.analysis import batch_for
from resfold_nb.show import live
from resfold_nb.training import train, well_fed

show.setup()
async def live_round(recipe, batch):
    made = live.live_training(recipe, batch, alt="benchmark", every=10**9, wait=False)
    gc.collect()
    start = time.perf_counter()
    made.start()
    # the last step is measured; its time is taken off
    await made.settled()
    seconds = time.perf_counter() - start
    mark = time.perf_counter()
    made.run.marks.pop()
    made.driver.measure()
    return seconds - (time.perf_counter() - mark)

def plain_round(recipe, batch):
    gc.collect()
    start = time.perf_counter()
    for state in train(recipe, batch):
        pass
    return time.perf_counter() - start

for name, recipe in (("small", well_fed().but(steps={STEPS}, noise_levels=4)),
                     ("well fed", well_fed().but(steps={STEPS // 2}))):
    batch, ratios = batch_for(recipe, "1R69_A"), []
    plain_round(recipe, batch)
    for _ in range({REPEATS}):
        plain = plain_round(recipe, batch)
        ratios.append(await live_round(recipe, batch) / plain)
        print(f"{{name}}: plain {{1e3 * plain / recipe.steps:.2f}} ms a step, "
              f"live / plain {{ratios[-1]:.3f}}", flush=True)
    print(f"{{name}}: median {{statistics.median(ratios):.3f}}", flush=True)
"""


def main() -> None:
    """Start a kernel, run the comparison in it and print what it prints."""
    manager, client = start_new_kernel()
    try:
        client.execute_interactive(CODE, allow_stdin=False, timeout=900)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
