"""For `benchmarks.gpu`: what torch reaches, in large matrix products and in the same network."""

import contextlib
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu_kernels import Report
from benchmarks.gpu_networks import TILES, speed
from tsr.trainer.cuda_graph import ALGORITHMS
from tsr.trainer.network import TsrNetwork

MATRIX = 8192
"""Rows and columns of the matrices, large enough for the full rate."""


def torch_ceilings() -> Report:
    """Matrix products by number format, and the network in torch, channels last."""
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, ALGORITHMS
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    found: Report = {"version": torch.__version__}
    for name, product in products().items():
        # Not every GPU has every format, nor every version of torch its product.
        with contextlib.suppress(RuntimeError, AttributeError, TypeError, ValueError):
            found[f"matmul_{name}_tflop_s"] = round(2 * MATRIX**3 / timed(product) / 1e9)
    for channels in (64, 128):
        found[f"network_fp16_{channels}"] = _network(channels, torch.float16)
    return found


def products() -> dict[str, Callable[[], Tensor]]:
    """What multiplies two large matrices, by number format."""
    single, one = torch.randn(MATRIX, MATRIX, device="cuda"), torch.ones((), device="cuda")
    half, byte, narrow = single.half(), single.to(torch.int8), single.to(torch.float8_e4m3fn)

    def fp8() -> Tensor:
        return torch._scaled_mm(narrow, narrow.t(), one, one, out_dtype=torch.float16)

    return {
        "fp32": lambda: single @ single,
        "fp16": lambda: half @ half,
        "int8": lambda: torch._int_mm(byte, byte.t()),
        "fp8": fp8,
    }


def timed(work: Callable[[], object], repeats: int = 10) -> float:
    """Median milliseconds on the device, after a warm-up."""
    for _ in range(3):
        work()
    times = []
    for _ in range(repeats):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        work()
        last.record()
        torch.cuda.synchronize()
        times.append(first.elapsed_time(last))
    return statistics.median(times)


def _network(channels: int, dtype: torch.dtype) -> Any:
    network = TsrNetwork(channels)
    network.initialise(torch.Generator().manual_seed(0))
    network.place(torch.device("cuda"))
    network.to(dtype)
    found: Report = {"tiles": {}}
    for tile in TILES:
        t, h, w = tile
        base = torch.rand(1, 3, t + 6, h + 16, w + 16, device="cuda", dtype=dtype)
        base = base.contiguous(memory_format=torch.channels_last_3d)
        with torch.no_grad(), contextlib.suppress(torch.OutOfMemoryError):
            ms = timed(lambda b=base: network.residual(b))  # type: ignore[misc]
            found["tiles"]["x".join(map(str, tile))] = speed(channels, tile, ms)
    return found
