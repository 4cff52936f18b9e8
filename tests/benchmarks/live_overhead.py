"""How much slower live training is than the bare loop, in a real kernel. Run by hand:

    OMP_NUM_THREADS=1 python tests/benchmarks/live_overhead.py

A kernel trains plainly and live in turn, several times, without measurements. The messages
to a browser are made and sent, but no browser reads them.
"""

from __future__ import annotations

from jupyter_client.manager import start_new_kernel

REPEATS, STEPS = 7, 200

CODE = f"""
import gc, statistics, time
from resfold_nb import show
from resfold_nb.analysis import batch_for
from resfold_nb.show.live import live_training
from resfold_nb.training import train, well_fed

show.setup()

async def live_round(recipe, batch):
    made = live_training(recipe, batch, alt="benchmark", wait=False)
    made.driver._measurement = lambda: iter(())  # what the reader asks for does not count
    gc.collect()
    wall, processor = time.perf_counter(), time.process_time()
    made.start()
    await made.settled()
    return time.perf_counter() - wall, time.process_time() - processor

def plain_round(recipe, batch):
    gc.collect()
    wall, processor = time.perf_counter(), time.process_time()
    for state in train(recipe, batch):
        pass
    return time.perf_counter() - wall, time.process_time() - processor

for name, recipe in (("4 noise levels", well_fed().but(steps={STEPS}, noise_levels=4)),
                     ("well fed", well_fed().but(steps={STEPS // 2}))):
    batch, ratios = batch_for(recipe, "1R69_A"), []
    plain_round(recipe, batch)
    for turn in range({REPEATS}):
        if turn % 2:  # neither comes first every time
            live, plain = await live_round(recipe, batch), plain_round(recipe, batch)
        else:
            plain, live = plain_round(recipe, batch), await live_round(recipe, batch)
        ratios.append([x / y for x, y in zip(live, plain)])
        print(f"{{name}}: {{1e3 * plain[0] / recipe.steps:.1f}} ms a step, live / plain "
              f"{{ratios[-1][0]:.3f}} by the clock, {{ratios[-1][1]:.3f}} in processor time")
    clock, processor = (statistics.median(column) for column in zip(*ratios))
    print(f"{{name}}: median {{clock:.3f}} by the clock, {{processor:.3f}} in processor time",
          flush=True)
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
