"""For `benchmarks.gpu`: the same network by everything here that can run it on the GPU."""

import math
import os
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
from tsr.runtime.kernels import HOPPER
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.tensor_core_network import TILE as OWN_TILE
from tsr.runtime.tensor_core_network import TensorCoreNetwork
from tsr.runtime.tensorrt_network import TensorRtNetwork

TILES = (TILE, (16, 368, 640), (64, 120, 160))
CHECKED = (4, 24, 32)
TOLERANCE = {"fp32": 1e-4, "fp16": 5e-3}
"""Largest difference to ONNX Runtime on the CPU. INT8 and FP8 are reported, not judged: where a
value lies between two steps, both are right."""


@dataclass(frozen=True)
class Candidate:
    """A network to measure.

    Args:
        name: the file and what runs it. path: the file. run: the network on the GPU.
        card: its model's. reference: the .onnx that says what is right, if it was given.
        tile: to run the ladder with. accepts: whether it computes tiles of a size.
        chosen: whether a user gets it; what others win against runs one ladder and no file.
        facts: for the report.
    """

    name: str
    path: Path
    run: Any
    card: ModelCard
    reference: Path | None
    tile: tuple[int, int, int] = TILE
    accepts: Callable[[tuple[int, int, int]], bool] = lambda tile: True
    chosen: bool = True
    facts: Report = field(default_factory=dict)


def candidates(
    device: CudaDevice, models: Sequence[Path], folder: Path
) -> Iterator[Candidate | str]:
    """Each .onnx by ONNX Runtime and as the engines that can be built of it, each .plan and each
    .safetensors as it is; where something is missing, a line that says so.

    Args:
        folder: for the engines built here.
    """
    known = {file_sha256(model): model for model in models if model.suffix == ".onnx"}
    attempts: list[tuple[Path, Callable[[], Candidate]]] = [
        (model, partial(_plan, model, device, known))
        if model.suffix == ".plan"
        else (model, partial(_trained, model, device))
        if model.suffix == ".safetensors"
        else (model, partial(_onnx, model, device))
        for model in models
    ]
    if device.capability == HOPPER:
        attempts += [
            (model, partial(_as_on_ampere, model, device))
            for model in models
            if model.suffix == ".safetensors"
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
    return Candidate(f"{model.stem} · {run.name}", model, run, run.card, model)


def _trained(model: Path, device: CudaDevice) -> Candidate:
    """By our own convolutions; what is right is said by the .onnx beside it, if there is one."""
    run, beside = TensorCoreNetwork(model, device), model.with_suffix(".onnx")
    reference = beside if beside.is_file() else None
    return Candidate(f"{model.stem} · {run.name}", model, run, run.card, reference, OWN_TILE)


def _as_on_ampere(model: Path, device: CudaDevice) -> Candidate:
    """By the kernels of other generations."""
    run = TensorCoreNetwork(model, device, hopper=False)
    usual = _trained(model, device)
    return replace(usual, name=f"{usual.name}, Ampere's kernels", run=run, chosen=False)


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
        path,
        run,
        run.card,
        known.get(card.model_sha256),
        card.tile,
        card.accepts,
    )


def network(device: CudaDevice, candidate: Candidate) -> Report:
    """The network pass at several tile shapes, its own last; a small tile against ONNX Runtime on
    the CPU."""
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
        if not found["error"] <= TOLERANCE.get(candidate.card.precision, math.inf):
            raise SystemExit(f"{candidate.name} is wrong by {found['error']:.1e}")
    for tile in filter(candidate.accepts, dict.fromkeys((*TILES, candidate.tile))):
        t, h, w = tile
        given, answer = backend.load(noise(3, t + 6, h + 16, w + 16)), kernels.volume(3, *tile)
        ms = milliseconds(
            device, [lambda g=given, a=answer: candidate.run(g, a)], launches=3, repeats=5
        )
        found["tiles"]["x".join(map(str, tile))] = speed(candidate.card.channels, tile, ms)
    return found


def weights(channels: int) -> int:
    """Multiplications per output voxel, halo not counted."""
    return 2 * 3 * 27 * channels + channels**2 * (27 + 5 * 9)


def speed(channels: int, tile: tuple[int, int, int], ms: float) -> dict[str, float]:
    flop = 2 * weights(channels) * tile[0] * tile[1] * tile[2]
    return {"ms": round(ms, 3), "tflop_s": round(flop / ms / 1e9, 1)}
