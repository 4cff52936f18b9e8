"""In how many bits the network multiplies matrices while it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

PRECISIONS = ("fp32", "tf32", "bf16")


@contextmanager
def matrix_products(precision: str, device: torch.device | str) -> Iterator[None]:
    """Matrix products of one of `PRECISIONS` in the `with` block; what was set before is put back.

    "bf16" is torch's autocast: matrix products and attention take rounded inputs, norms, sums and
    the loss stay fp32. "tf32" rounds them inside a GPU's matrix units, to 10 bits.
    """
    kind = torch.device(device).type
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        # casts kept for later would outlive the CUDA graph that they were recorded in
        with torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
