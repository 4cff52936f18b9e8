"""How much slower live training is than the bare loop, in a real kernel; `views` records it.

A kernel trains plainly and live in turn, several times, without measurements. The messages
to a browser are made and sent, but no browser reads them.
"""

from __future__ import annotations

import json
from typing import Any

from jupyter_client.manager import start_new_kernel

REPEATS, STEPS = 7, 200

CODE = f"""
import gc, json, time
from resfold_nb import show
from resfold_nb.studies import batch_for
from resfold_nb.show.live import live_training
from resfold_nb.engine import train
from resfold_nb.training import well_fed

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

found = {{}}
for name, recipe in (("4 noise levels", well_fed().but(steps={STEPS}, noise_levels=4)),
                     ("well fed", well_fed().but(steps={STEPS // 2}))):
    batch, found[name] = batch_for(recipe, "1R69_A"), []
    plain_round(recipe, batch)
    for turn in range({REPEATS}):
        if turn % 2:  # neither comes first every time
            live, plain = await live_round(recipe, batch), plain_round(recipe, batch)
        else:
            plain, live = plain_round(recipe, batch), await live_round(recipe, batch)
        found[name].append([x / y for x, y in zip(live, plain)])
print(json.dumps(found), flush=True)
"""


def overheads() -> dict[str, list[tuple[float, float]]]:
    """Recipe -> live / plain of each repeat, by the clock and in processor time."""
    manager, client = start_new_kernel()
    said: list[dict[str, Any]] = []
    try:
        reply = client.execute_interactive(CODE, allow_stdin=False, timeout=900, output_hook=said.append)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise RuntimeError("\n".join(reply["content"]["traceback"]))
    printed = "".join(message["content"]["text"] for message in said
                      if message["msg_type"] == "stream" and message["content"]["name"] == "stdout")
    return {name: [tuple(pair) for pair in pairs]
            for name, pairs in json.loads(printed.splitlines()[-1]).items()}
