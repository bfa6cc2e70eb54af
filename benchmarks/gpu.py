"""Is the GPU right, and how fast is it? Correctness first, then kernels, network and cascade.

    python -m benchmarks.gpu MODEL.onnx [MORE.onnx MORE.plan …]

Runs what is there of pycuda (kernels), onnxruntime-gpu and TensorRT (network, cascade) and torch (a
matrix product and the same network for comparison), and says what is missing. An .onnx model, of
any precision, is run by ONNX Runtime and as an engine built here, refittable and not; a .plan is
compared with the CPU if its .onnx is given too. Times are between events on the stream: medians,
but the ladder is one run after a warm-up, launch and allocation included. Writes
results/gpu-NAME.json and prints it.
"""

import argparse
import importlib.util
import json
import math
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu_kernels import Report, error, kernels, noise
from benchmarks.gpu_networks import Candidate, candidates, network, torch_ceilings
from benchmarks.machine import GPU_LIBRARIES, ROOT, gpu_driver, machine
from tsr.core.ladder import ScaleLadder
from tsr.core.volume import Volume
from tsr.runtime.cascade import FramePyramid, run_segment
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.device import CudaDevice, missing
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.plan import plan_segments

HEIGHT, WIDTH, FACTOR = 720, 1280, 8
CASCADE_TOLERANCE = {"fp32": 2e-3, "fp16": 2e-2}
"""Largest differences to the CPU's cascade. INT8 and FP8 are reported, not judged: where a value
lies between two steps, GPU and CPU may choose differently."""


def cascade(device: CudaDevice, candidate: Candidate, start: str) -> Report:
    """The whole ladder at 720p ×8: device time per output frame; first a small video against the
    CPU."""
    gpu, card = candidate.run, candidate.card
    ladder = ScaleLadder(Fraction(start), FACTOR)
    difference = cascade_difference(device, candidate, ladder)
    if difference is not None and difference > CASCADE_TOLERANCE.get(card.precision, math.inf):
        raise SystemExit(
            f"{candidate.name}: the cascade differs from the CPU's by {difference:.1e}"
        )
    video = np.concatenate([noise(3, 4, HEIGHT, WIDTH, seed=n) for n in range(2)], 1)
    backend = CudaBackend(device, gpu, candidate.tile)
    for _ in _run(backend, video, ladder, store=False):
        pass
    device.synchronize()
    backend._count()
    backend.seconds.clear()
    first = device.mark()
    for _ in _run(backend, video, ladder, store=False):
        pass
    last = device.mark()
    device.synchronize()
    backend._count()
    frames = video.shape[1] * FACTOR
    spent = {name: round(1000 * s / frames, 4) for name, s in backend.seconds.items()}
    whole = 1000 * device.seconds_between(first, last) / frames
    return {
        "precision": card.precision,
        "channels": card.channels,
        "start": start,
        "difference_to_cpu": difference,
        "ms_per_frame": round(whole, 3),
        "ms_by_stage": spent,
        "backprojection_share": round(spent["back-projection"] / sum(spent.values()), 4),
        "tile": list(backend.tile),
    }


def cascade_difference(
    device: CudaDevice, candidate: Candidate, ladder: ScaleLadder
) -> float | None:
    """How far a small video is from what the CPU makes of it; None without the .onnx."""
    if candidate.reference is None:
        return None
    small = noise(3, 5, 96, 128)
    on_cpu = CpuBackend(OnnxNetwork(candidate.reference), (16, 96, 128))
    on_gpu = CudaBackend(device, candidate.run, candidate.tile)
    slow, fast = (
        np.concatenate([a.copy() for a in _run(backend, small, ladder)], 1)
        for backend in (on_cpu, on_gpu)
    )
    return error(fast, slow)


def _run(backend: Any, video: Volume, ladder: ScaleLadder, store: bool = True) -> Iterator[Any]:
    frames = (np.ascontiguousarray(video[:, n]) for n in range(video.shape[1]))
    pyramid: FramePyramid[Any] = FramePyramid(frames, ladder, backend)
    for plan in plan_segments(ladder, video.shape[1], 4):
        for group in run_segment(plan, pyramid, backend, video.shape[1]):
            yield backend.store(group) if store else group


def measured(device: CudaDevice, models: list[Path]) -> Report:
    """Kernels, then each network and its cascades."""
    report: Report = {"kernels": kernels(device), "network": {}, "cascade": {}, "skipped": []}
    with tempfile.TemporaryDirectory() as folder:
        for candidate in candidates(device, models, Path(folder)):
            if isinstance(candidate, str):
                report["skipped"].append(candidate)
                continue
            report["network"][candidate.name] = network(device, candidate)
            for start in ("1/8", "1/4"):
                key = f"{candidate.name} from {start}"
                report["cascade"][key] = cascade(device, candidate, start)
    return report


def main() -> None:
    """Measure what can be measured here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    if reason := missing():
        raise SystemExit(f"no GPU to measure: {reason}")
    report: Report = {"machine": machine(GPU_LIBRARIES)}
    if importlib.util.find_spec("torch"):
        report["torch"] = torch_ceilings()  # first: it also loads cuDNN for ONNX Runtime
    device = CudaDevice()
    about = {"gpu": device.name, "cuda": device.driver_version, "driver": gpu_driver()}
    report["machine"] |= about
    report |= measured(device, given.models)
    path = given.out / f"gpu-{device.name.split()[1].lower()}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
