"""How near the full-size training step comes to what this machine's matrix products can do."""

from __future__ import annotations

import torch
from benchmarks.harness import alternate, record
from benchmarks.training import full, ours, protein_of

from resfold_nb.measure.cost import count_flop, training_cost

SIDE = 2048  # of the square matrices of the peak


def main() -> None:
    """fp32 and bf16, the peak measured in turn with the step."""
    torch.set_num_threads(2)
    batch, recipe = protein_of(100), full(trunk_sees_points=False)
    a, b = torch.randn(2, SIDE, SIDE)
    half = a.bfloat16(), b.bfloat16()
    sides = {"matmul, fp32": lambda: a @ b, "matmul, bf16": lambda: half[0] @ half[1],
             "step, fp32": ours(recipe, batch), "step, bf16": ours(recipe.but(precision="bf16"), batch)}
    timed = alternate(sides, repeats=7, warm=2)
    work = {"matmul": count_flop(lambda: a @ b),
            "step": 1e12 * training_cost(recipe.but(steps=4), batch).teraflop / 4}
    rows = []
    for name, timing in timed.items():
        kind, precision = name.split(", ")
        speed = work[kind] / timing.median
        peak = work["matmul"] / timed[f"matmul, {precision}"].median
        rows.append({"side": name, "s": timing.median, "GFLOP/s": speed / 1e9,
                     "share of matmul peak": speed / peak, "repeats": len(timing.seconds)})
    record("limit", rows)


if __name__ == "__main__":
    main()
