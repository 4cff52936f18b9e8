"""In how many bits the network multiplies matrices while it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from resfold_nb.model import Predictor


@contextmanager
def matrix_products(precision: str, device: torch.device | str) -> Iterator[None]:
    """The network's forward pass in one of `PRECISIONS`; what was set before is put back.

    "bf16" is torch's autocast: matrix products and attention take rounded inputs, norms, sums and the loss stay fp32.
    "tf32" rounds them inside a GPU's matrix units, to 10 bits.
    """
    kind = torch.device(device).type
    if precision != "bf16":
        with gradient_products(precision), torch.autocast(kind, torch.bfloat16, enabled=False):
            yield
        return
    # casts kept for later would outlive the CUDA graph that they were captured in
    with gradient_products(precision), torch.autocast(kind, torch.bfloat16, cache_enabled=False):
        if kind != "cpu":
            yield
            return
        with _AttentionInFp32():
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


class _AttentionInFp32(TorchFunctionMode):
    """On a CPU torch 2.13 takes ten times as long backwards through attention in bf16 as in fp32."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        with torch.autocast("cpu", enabled=False):
            return func(*(x.float() for x in args), **(kwargs or {}))


class InPrecision:
    """A model as the losses call it, with the network's matrix products in another precision."""

    def __init__(self, model: Predictor, precision: str) -> None:
        self._model, self._precision = model, precision

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, *inputs: Any) -> Tensor:
        """As `Predictor.forward`."""
        with matrix_products(self._precision, self._model.a.device):
            return self._model(*inputs)

    def raw(self, *inputs: Any) -> Tensor:
        """As `Predictor.raw`."""
        with matrix_products(self._precision, self._model.a.device):
            return self._model.raw(*inputs)

    def trunk_tokens(self, *inputs: Any) -> Tensor | None:
        """As `Predictor.trunk_tokens`."""
        with matrix_products(self._precision, self._model.a.device):
            return self._model.trunk_tokens(*inputs)
