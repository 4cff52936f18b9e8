"""Work on a GPU as one launch: a CUDA graph, captured once and replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from resfold_nb.diffusion import Denoise

Work = Callable[..., Tensor]

_as_written = False


@contextmanager
def as_written() -> Iterator[None]:
    """In the `with` block nothing is captured or replayed: to compare, and to look inside."""
    global _as_written
    before, _as_written = _as_written, True
    try:
        yield
    finally:
        _as_written = before


def replayed(denoise: Denoise, device: torch.device | str) -> Denoise:
    """A denoiser whose calls a GPU plays from a CUDA graph, unless gradients are asked for."""
    replay = Replay(denoise, device)
    return lambda *inputs: (denoise if torch.is_grad_enabled() else replay)(*inputs)


class Replay:
    """A function of tensors that a GPU repeats without Python in between.

    A small network asks for hundreds of short kernels, and a GPU that is told of each in turn waits for Python most
    of the time. Inputs of a new shape are worked on as written the first time, which readies libraries and optimiser;
    the second time is captured, and that and every later one is replayed. Without CUDA each call runs as written.

    The work must not look at numbers of the device, and may depend on nothing that changes but its inputs,
    `generators` and tensors that are changed in place. Hooks of modules do not run when it is played; `as_written`
    brings them back.

    Parameters
    ----------
    work : (tensors) -> tensor.
    device : where it runs.
    generators : which it draws from.
    """

    def __init__(self, work: Work, device: torch.device | str, generators: Sequence[torch.Generator] = ()) -> None:
        self.work, self.generators = work, tuple(generators)
        self.device = torch.device(device)
        self._captures: dict[tuple[tuple[torch.Size, torch.dtype], ...], _Captured | None] = {}

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The function's value; on a GPU not to be differentiated."""
        if self.device.type != "cuda" or _as_written:
            return self.work(*inputs)
        with torch.cuda.device(self.device):
            return self._captured(inputs)

    def _captured(self, inputs: Sequence[Tensor]) -> Tensor:
        kind = tuple((x.shape, x.dtype) for x in inputs)
        if kind not in self._captures:
            self._captures[kind] = None
            return _beside(self.work, *inputs)
        captured = self._captures[kind]
        if captured is None:
            captured = self._captures[kind] = _Captured(self.work, inputs, self.generators)
        return captured.play(inputs)


class _Captured:
    """One CUDA graph with the places of its inputs and its output."""

    def __init__(self, work: Work, inputs: Sequence[Tensor], generators: Sequence[torch.Generator]) -> None:
        self.inputs = [x.clone() for x in inputs]
        self.graph = torch.cuda.CUDAGraph()
        for generator in generators:
            self.graph.register_generator_state(generator)
        with torch.cuda.graph(self.graph, stream=_stream()):
            self.output = work(*self.inputs)

    def play(self, inputs: Sequence[Tensor]) -> Tensor:
        """The output for new inputs, in memory of its own."""
        for place, given in zip(self.inputs, inputs, strict=True):
            place.copy_(given)
        self.graph.replay()
        return self.output.clone()


_streams: dict[int, torch.cuda.Stream] = {}


def _stream() -> torch.cuda.Stream:
    """The stream that is captured; the work before a capture must have run there too."""
    device = torch.cuda.current_device()
    return _streams.setdefault(device, torch.cuda.Stream())


def _beside(work: Work, *inputs: Tensor) -> Tensor:
    stream, here = _stream(), torch.cuda.current_stream()
    stream.wait_stream(here)
    with torch.cuda.stream(stream):
        output = work(*inputs)
    here.wait_stream(stream)
    output.record_stream(here)
    return output
