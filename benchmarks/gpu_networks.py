"""For `benchmarks.gpu`: the same network by everything here that can run it on the GPU."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu_kernels import Report, error, milliseconds, noise
from tsr.core.errors import TsrError
from tsr.core.model_card import ModelCard, file_sha256
from tsr.runtime import onnx_cuda
from tsr.runtime.cuda_backend import TILE, CudaBackend
from tsr.runtime.cuda_kernels import CudaKernels
from tsr.runtime.device import CudaDevice
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.tensorrt_network import TensorRtNetwork

TILES = (TILE, (32, 184, 320), (16, 368, 640), (64, 120, 160))
CHECKED = (4, 24, 32)


@dataclass(frozen=True)
class Candidate:
    """A network to measure.

    Args:
        name: the file and what runs it. run: the network on the GPU.
        card: its model's. reference: the .onnx that says what is right, if it was given.
        tile: to run the ladder with. accepts: whether it computes tiles of a size.
        facts: for the report.
    """

    name: str
    run: Any
    card: ModelCard
    reference: Path | None
    tile: tuple[int, int, int] = TILE
    accepts: Callable[[tuple[int, int, int]], bool] = lambda tile: True
    facts: Report = field(default_factory=dict)


def candidates(
    device: CudaDevice, models: Sequence[Path], folder: Path
) -> Iterator[Candidate | str]:
    """Each .onnx by ONNX Runtime and as the engines that can be built of it, each .plan as it is;
    where something is missing, a line that says so.

    Args:
        folder: for the engines built here.
    """
    known = {file_sha256(model): model for model in models if model.suffix == ".onnx"}
    attempts: list[tuple[Path, Callable[[], Candidate]]] = [
        (model, partial(_plan, model, device, known))
        if model.suffix == ".plan"
        else (model, partial(_onnx, model, device))
        for model in models
    ]
    attempts += [
        (model, partial(_engine, model, device, folder, refit, known))
        for model in known.values()
        for refit in (True, False)
    ]
    for model, attempt in attempts:
        try:
            yield attempt()
        except TsrError as reason:
            yield f"{model.name}: {reason}"


def _onnx(model: Path, device: CudaDevice) -> Candidate:
    run = onnx_cuda.OnnxCudaNetwork(model, device)
    return Candidate(f"{model.stem} · {run.name}", run, run.card, model)


def _engine(
    model: Path, device: CudaDevice, folder: Path, refit: bool, known: dict[str, Path]
) -> Candidate:
    """An engine built here, with the seconds of the build and of a refit."""
    from tsr.export.to_engine import EngineOptions, to_engine

    os.environ["XDG_CACHE_HOME"] = str(folder)  # so that the first one is really built
    plan, facts = folder / f"{model.stem}{'' if refit else ', fixed'}.plan", {}
    for _ in range(2 if refit else 1):
        started = time.perf_counter()
        how = to_engine(model, plan, EngineOptions(refit=refit), overwrite=True).how
        facts[f"{how.split(',')[0]}_seconds"] = round(time.perf_counter() - started, 2)
    return replace(_plan(plan, device, known), facts=facts)


def _plan(path: Path, device: CudaDevice, known: dict[str, Path]) -> Candidate:
    run = TensorRtNetwork(path, device)
    card = run.engine_card
    return Candidate(
        f"{path.stem} · {run.name}",
        run,
        run.card,
        known.get(card.model_sha256),
        card.tile,
        card.accepts,
    )


def network(device: CudaDevice, candidate: Candidate) -> Report:
    """The network pass at several tile shapes; a small tile against ONNX Runtime on the CPU."""
    kernels, backend = CudaKernels(device), CudaBackend(device, candidate.run)
    found: Report = {
        "precision": candidate.card.precision,
        "channels": candidate.card.channels,
        **candidate.facts,
        "tiles": {},
    }
    if candidate.reference is not None:
        t, h, w = CHECKED
        small, made = noise(3, t + 6, h + 16, w + 16), kernels.volume(3, *CHECKED)
        candidate.run(backend.load(small), made)
        found["error"] = error(backend.store(made), OnnxNetwork(candidate.reference)(small))
    for tile in filter(candidate.accepts, TILES):
        t, h, w = tile
        given, answer = backend.load(noise(3, t + 6, h + 16, w + 16)), kernels.volume(3, *tile)
        ms = milliseconds(
            device, [lambda g=given, a=answer: candidate.run(g, a)], launches=3, repeats=10
        )
        found["tiles"]["x".join(map(str, tile))] = _speed(candidate.card.channels, tile, ms)
    return found


def torch_ceilings() -> Report:
    """A large FP16 matrix product, and the same network in torch, channels last."""
    import torch

    from tsr.trainer.network import TsrNetwork

    def timed(work: Callable[[], object], repeats: int = 10) -> float:
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

    torch.backends.cudnn.benchmark = True
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.float16)
    found: Report = {"matmul_fp16_tflop_s": round(2 * 8192**3 / timed(lambda: a @ a) / 1e9)}
    for channels in (64, 128):
        net = TsrNetwork(channels)
        net.initialise(torch.Generator().manual_seed(0))
        net.place(torch.device("cuda"))
        net.half()
        t, h, w = TILE
        base = torch.rand(1, 3, t + 6, h + 16, w + 16, device="cuda", dtype=torch.float16)
        base = base.contiguous(memory_format=torch.channels_last_3d)
        with torch.no_grad():
            ms = timed(lambda n=net, b=base: n.residual(b))  # type: ignore[misc]
        found[f"network_fp16_{channels}"] = {"tile": list(TILE), **_speed(channels, TILE, ms)}
    return found


def weights(channels: int) -> int:
    """Multiplications per output voxel, halo not counted."""
    return 2 * 3 * 27 * channels + channels**2 * (27 + 5 * 9)


def _speed(channels: int, tile: tuple[int, int, int], ms: float) -> dict[str, float]:
    flop = 2 * weights(channels) * tile[0] * tile[1] * tile[2]
    return {"ms": round(ms, 3), "tflop_s": round(flop / ms / 1e9, 1)}
