"""On a CUDA GPU: recorded and joint steps against plain ones, precision, and what bounds a step.

    PYTHONPATH=.:tests python -m benchmarks.gpu     # torch and numpy alone; some minutes
    ... python -m benchmarks.gpu gpu_profile        # one table

Each side does several steps and waits for the GPU at its end. Sides are timed in turn.
"""

from __future__ import annotations

import itertools
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from benchmarks.harness import alternate, ratio, record
from benchmarks.plain import plain_like, plain_sampling, plain_training
from benchmarks.precision import rows_of
from benchmarks.six_forms import FORMS
from benchmarks.training import full, protein_of, small

from resfold_nb.measure import count_flop, sample
from resfold_nb.measure.errors import MEASURING_SEED, measuring_noise
from resfold_nb.data import Batch
from resfold_nb.engine import Member, as_written, train, train_together
from resfold_nb.training import Recipe, build, named_recipe

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SMOKE = DEVICE == "cpu"  # without a GPU the script can still be tried, at a toy size
SIDE = 256 if SMOKE else 8192  # of the square matrices of the peak
Work = Callable[[], object]
CLEAN = dict(trunk_sees_points=False)
SEEDS = 2 if SMOKE else 5


def big(**changes: Any) -> Recipe:
    """The full size, or a toy in its place."""
    return small().but(**changes) if SMOKE else full(**changes)


def wait() -> None:
    """Until the GPU has done what it was asked."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def repeated(step: Work, times: int, first: int = 3) -> Work:
    """`times` steps and a wait; `first` steps, which record, are done now."""
    for _ in range(first):
        step()

    def work() -> None:
        for _ in range(times):
            step()
        wait()

    return work


def plainly(recipe: Recipe, batch: Batch) -> Work:
    """A step of the plain loop, which looks at its loss."""
    steps = plain_training(plain_like(build(recipe, device=DEVICE)), recipe, batch.to(DEVICE))
    return lambda: next(steps)


def ours(recipe: Recipe, batch: Batch, recorded: bool = True, compiled: bool = False) -> Work:
    """A step of our loop; `compiled` fuses each block's kernels with torch.compile."""
    states = train(recipe, batch, device=DEVICE)
    network = next(states).predictor.network
    if compiled:
        for block in (*network.trunk.blocks, *network.denoiser.blocks):
            block.compile()
    if recorded:
        return lambda: next(states)
    return lambda: unrecorded(lambda: next(states))


def unrecorded(work: Work) -> object:
    """The work with every call as it is written."""
    with as_written():
        return work()


def together(recipe: Recipe, members: list[Member], batch: Batch) -> Work:
    """A step of all members."""
    states = train_together(recipe, members, batch, DEVICE)
    next(states)
    return lambda: next(states)


def compare(label: str, sides: Mapping[str, tuple[Work, int]], against: str, repeats: int = 5
            ) -> Iterator[dict[str, Any]]:
    """A row a side: (work, how many steps of one run it is) -> ms a step of one run, and ratios."""
    timed = alternate({name: work for name, (work, _) in sides.items()}, repeats)
    for name, timing in timed.items():
        share = sides[against][1] / sides[name][1]
        middle, low, high = (x / share for x in ratio(timed[against], timing))
        yield {"benchmark": label, "side": name, "ms a step of a run": 1e3 * timing.median / sides[name][1],
               "times as fast": middle, "low": low, "high": high, "against": against,
               "repeats": repeats}


def against_plain(label: str, recipe: Recipe, batch: Batch, forms: Sequence[str], n: int
                  ) -> Iterator[dict[str, Any]]:
    """The plain loop, and ours as written, recorded, and recorded for all forms and seeds together."""
    members = [Member(form, seed) for seed in range(SEEDS) for form in forms]
    yield from compare(label, {
        "plain loop": (repeated(plainly(recipe, batch), n), n),
        "ours, as written": (repeated(ours(recipe, batch, recorded=False), n), n),
        "ours, recorded": (repeated(ours(recipe, batch), n), n),
        f"ours, {len(members)} runs together, recorded":
            (repeated(together(recipe, members, batch), n), n * len(members)),
    }, "plain loop")


def small_study() -> Iterator[dict[str, Any]]:
    """Six forms x five seeds of the well-fed recipe."""
    label, batch = "small study: well fed, 64 residues, 24 noise levels", protein_of(64)
    yield from against_plain(label, small(), batch, FORMS, 2 if SMOKE else 40)
    members = [Member(form, seed) for seed in range(SEEDS) for form in FORMS]
    recipe, start = named_recipe("well_fed").but(**dict(steps=3) if SMOKE else {}), time.perf_counter()
    *_, last = train_together(recipe, members, batch, DEVICE)
    wait()
    yield {"benchmark": label, "side": f"{len(members)} whole runs together, {recipe.steps} steps, in s",
           "seconds": time.perf_counter() - start}


def compiled_study() -> Iterator[dict[str, Any]]:
    """The same runs together, their loss compiled as a whole."""
    recipe, batch, n = small(), protein_of(64), 2 if SMOKE else 40
    members = [Member(form, seed) for seed in range(SEEDS) for form in FORMS]
    states = train_together(recipe, members, batch, DEVICE)
    ensemble = next(states).ensemble
    ensemble.losses = torch.compile(ensemble.losses)  # type: ignore[method-assign]
    start = time.perf_counter()
    work = repeated(lambda: next(states), n)
    yield {"benchmark": "small study: well fed, 64 residues, 24 noise levels",
           "side": "together, compiled: its first three steps, in s",
           "seconds": time.perf_counter() - start}
    yield from compare("small study: well fed, 64 residues, 24 noise levels", {
        "together, recorded": (repeated(together(recipe, members, batch), n), n * len(members)),
        "together, compiled and recorded": (work, n * len(members))}, "together, recorded")


def starved() -> Iterator[dict[str, Any]]:
    """The full size at one noise level: the least work a launch."""
    yield from against_plain("full size, 64 residues, 1 noise level", big(noise_levels=1), protein_of(64),
                             FORMS[:4], 2 if SMOKE else 10)


def full_size() -> Iterator[dict[str, Any]]:
    """48 noise levels of 100 residues, in each precision, and the share of the bf16 matmul peak."""
    batch, n, label = protein_of(100), 2 if SMOKE else 10, "full size, 100 residues, 48 noise levels"
    sides = {"plain loop, noisy trunk": plainly(big(), batch),
             "ours as written, noisy trunk": ours(big(), batch, recorded=False),
             "ours, noisy trunk": ours(big(), batch),
             "plain loop, clean trunk": plainly(big(**CLEAN), batch)}
    sides |= {f"ours, clean trunk, {p}": ours(big(precision=p, **CLEAN), batch)
              for p in ("fp32", "tf32", "bf16")}
    sides["ours, noisy trunk, bf16"] = ours(big(precision="bf16"), batch)
    if not SMOKE:
        sides["ours, clean trunk, bf16, blocks compiled"] = ours(
            big(precision="bf16", **CLEAN), batch, compiled=True)
    ready: dict[str, tuple[Work, int]] = {}
    for name, step in sides.items():
        start = time.perf_counter()
        ready[name] = repeated(step, n), n
        if "compiled" in name:
            yield {"benchmark": label, "side": "its first three steps, which compile, in s",
                   "seconds": time.perf_counter() - start}
    rows = list(compare(label, ready, "plain loop, noisy trunk"))
    peaks = matmul_peaks()
    for row in rows:
        everywhere = "noisy" in row["side"] or "plain" in row["side"]  # the trunk on every copy
        flop = flop_of(big() if everywhere else big(**CLEAN), batch)
        yield {**row, **shares(flop, row["ms a step of a run"] / 1e3, peaks)}


def wider() -> Iterator[dict[str, Any]]:
    """How the share of the peak grows with the noise levels of a step."""
    batch, peaks = protein_of(100), matmul_peaks()
    for levels in (2, 4) if SMOKE else (48, 192, 768):
        recipe = big(precision="bf16", **CLEAN).but(noise_levels=levels)
        for compiled in (False,) if SMOKE else (False, True):
            work = repeated(ours(recipe, batch, compiled=compiled), 5)
            seconds = alternate({"": work}, 3)[""].median / 5
            name = f"ours, clean trunk, bf16{', blocks compiled' if compiled else ''}"
            yield {"benchmark": f"full size, 100 residues, {levels} noise levels", "side": name,
                   "ms a step of a run": 1e3 * seconds, "repeats": 3,
                   **shares(flop_of(recipe.but(precision="fp32"), batch), seconds, peaks)}
            del work


def flop_of(recipe: Recipe, batch: Batch) -> float:
    """Counted operations of the matrix products of one step."""
    step = ours(recipe.but(precision="fp32"), batch, recorded=False)
    step()
    return count_flop(step)


def matmul_peaks() -> dict[str, float]:
    """FLOP/s of square matrix products, measured now."""
    a, b = torch.randn(2, SIDE, SIDE, device=DEVICE)
    half = a.bfloat16(), b.bfloat16()
    sides = {"fp32": lambda: a @ b, "bf16": lambda: half[0] @ half[1]}
    timed = alternate({k: repeated(work, 5) for k, work in sides.items()}, 3)
    return {k: 5 * 2 * SIDE**3 / timing.median for k, timing in timed.items()}


def shares(flop: float, seconds: float, peaks: Mapping[str, float]) -> dict[str, float]:
    """Of the peaks."""
    return {"TFLOP/s": flop / seconds / 1e12, "bf16 matmul peak, TFLOP/s": peaks["bf16"] / 1e12,
            "share of bf16 peak": flop / seconds / peaks["bf16"]}


def sampling() -> Iterator[dict[str, Any]]:
    """Eight structures from 49 calls at full size."""
    batch = protein_of(100).to(DEVICE)
    noisy, clean = (build(big(**changes), device=DEVICE) for changes in ({}, CLEAN))
    start, *steps = (measuring_noise(batch, 8, MEASURING_SEED + i) for i in range(50))
    plain, noise = plain_like(noisy), torch.stack(steps)
    yield from compare("full size, 100 residues, 8 structures, 49 calls", {
        "plain, noisy trunk": (repeated(lambda: plain_sampling(plain, batch, start, noise), 1), 1),
        "ours as written, clean trunk once": (repeated(
            lambda: unrecorded(lambda: sample(clean, batch, copies=8)), 1), 1),
        "ours, noisy trunk": (repeated(lambda: sample(noisy, batch, copies=8), 1), 1),
        "ours, clean trunk once": (repeated(lambda: sample(clean, batch, copies=8), 1), 1),
    }, "plain, noisy trunk")


def precision() -> Iterator[dict[str, Any]]:
    """Error by timestep at full size in each precision, five seeds."""
    yield from rows_of(big(noise_levels=16).but(steps=3 if SMOKE else 400), protein_of(64),
                       ("fp32", "tf32", "bf16"), SEEDS, DEVICE)


KINDS = {"matrix products": ("gemm", "cutlass", "nvjet", "xmma", "cublas"),
         "attention": ("fmha", "flash", "attention"), "AdamW": ("adam",),
         "layer norm": ("layer_norm", "layernorm", "gammabeta"), "random numbers": ("distribution",)}


def profile() -> Iterator[dict[str, Any]]:
    """Where a step at full size spends the GPU's time, by kind of kernel."""
    from torch.profiler import ProfilerActivity, profile

    for compiled in (False,) if SMOKE else (False, True):
        step = ours(big(precision="bf16", **CLEAN), protein_of(100), compiled=compiled)
        repeated(step, 3)()
        with profile(activities=[ProfilerActivity.CUDA] if not SMOKE else [ProfilerActivity.CPU]) as seen:
            step()
            wait()
        several, start = repeated(step, 20, first=0), time.perf_counter()
        several()
        wall = (time.perf_counter() - start) / 20
        found: dict[str, list[float]] = {}
        for event in seen.events():
            spent = event.device_time if not SMOKE else event.cpu_time
            found.setdefault(kind_of(event.name), []).append(spent)
        for kind, times in sorted(found.items(), key=lambda item: -sum(item[1])):
            yield {"blocks": "compiled" if compiled else "as written", "kind": kind,
                   "kernels": len(times), "ms": sum(times) / 1e3, "ms, the whole step": 1e3 * wall}


def kind_of(kernel: str) -> str:
    """Which of `KINDS` a kernel is, by its name."""
    name = kernel.lower()
    return next((k for k, words in KINDS.items() if any(w in name for w in words)),
                "other, mostly elementwise")


PARTS: dict[str, tuple[Callable[[], Iterator[dict[str, Any]]], ...]] = {
    "gpu": (small_study, starved, full_size, sampling, wider), "gpu_precision": (precision,),
    "gpu_profile": (profile,), "gpu_compiled": (compiled_study,),
}


def main(names: Sequence[str] = tuple(PARTS)) -> None:
    """Some tables of `PARTS`; a part that fails says so and leaves the others."""
    for name, parts in ((name, PARTS[name]) for name in names):
        rows: list[dict[str, Any]] = []
        for part in parts:
            start = time.perf_counter()
            try:
                rows += part()
            except Exception:  # a part that a machine cannot do must not cost the rest
                traceback.print_exc(file=sys.stdout)
            print(f"-- {part.__name__}: {time.perf_counter() - start:.0f} s", flush=True)
        if rows:
            fields = dict.fromkeys(itertools.chain.from_iterable(rows))
            record(name, [{f: row.get(f) for f in fields} for row in rows], DEVICE)


if __name__ == "__main__":
    main(sys.argv[1:] or tuple(PARTS))
