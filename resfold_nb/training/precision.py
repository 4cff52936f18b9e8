"""In how many bits the network multiplies matrices while it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

PRECISIONS = ("fp32", "tf32", "bf16")


@contextmanager
def matrix_products(precision: str, device: torch.device | str) -> Iterator[None]:
    """The network's forward pass in one of `PRECISIONS`; what was set before is put back.

    "bf16" is torch's autocast: matrix products and attention take rounded inputs, norms, sums and
    the loss stay fp32. "tf32" rounds them inside a GPU's matrix units, to 10 bits.
    """
    kind = torch.device(device).type
    # casts kept for later would outlive the CUDA graph that they were recorded in
    half = torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)
    with gradient_products(precision), half:
        yield


@contextmanager
def gradient_products(precision: str) -> Iterator[None]:
    """The same for the backward pass, whose bf16 products follow from those of the forward pass."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
