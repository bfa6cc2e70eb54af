"""Is the GPU right, and how fast is it? Correctness first, then kernels, network and cascade.

    python -m benchmarks.gpu [MODEL.onnx MORE.plan …]

Without a model, one with random weights is measured in FP32, FP16, INT8, FP8 and with its 1×3×3
layers as 2D ones. Runs what is there of pycuda (kernels), onnxruntime-gpu and TensorRT (network,
cascade, a video from file to file) and torch (matrix products, the same network), and says
what is missing. An .onnx model is run by ONNX Runtime and as engines built here, refittable and
not; a .plan is compared with the CPU if its .onnx is given too. Times are between events on the
stream: medians, but the ladder is one run after a warm-up, launch and allocation included, over
frames from the middle of a long video, and the file is one run. Writes results/gpu-NAME.json and
prints it as a table.
"""

import argparse
import functools
import importlib.util
import itertools
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu_kernels import YUV420, Report, error, kernels, noise
from benchmarks.gpu_md import gpu as gpu_table
from benchmarks.gpu_networks import Candidate, candidates, network
from benchmarks.machine import GPU_LIBRARIES, ROOT, gpu_driver, machine
from tsr.core.clip_io import ClipInfo, ClipWriter, Colour, FrameTimes
from tsr.core.clip_io.pixels import from_rgb
from tsr.core.ladder import ScaleLadder
from tsr.core.volume import Volume
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.cuda_backend import SEGMENT_VOXELS, CudaBackend
from tsr.runtime.cuda_frames import StoredFrame
from tsr.runtime.device import CudaDevice, missing
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.run import segment_size
from tsr.runtime.streaming import groups, super_resolve

SIZES = {"720p": (720, 1280), "1080p": (1080, 1920), "4K": (2160, 3840)}
FACTOR = 8
LADDERS = {
    "720p": ("1/8", "1/4"),
    "1080p": ("1/16", "1/8", "1/4"),
    "4K": ("1/16", "1/8", "1/4"),
}
"""Where those that are timed at a size start."""
CASCADE_FRAMES = 8
"""Input frames that the ladder is timed on at least; then as many as make whole segments."""

LONG = 1000
"""Frames of the video that they are from, so that neither of its ends is among them."""

FILE_FRAMES = 96
"""Of the input that goes from file to file: some seconds of output, so that starting up is little
of it."""

CASCADE_TOLERANCE = {"fp32": 2e-3, "fp16": 2e-2}
"""Largest differences to the CPU's cascade. INT8 and FP8 are reported, not judged: where a value
lies between two steps, GPU and CPU may choose differently."""


def cascade(device: CudaDevice, candidate: Candidate, start: str, size: str) -> Report:
    """The whole ladder at ×8, as `tsr-run` climbs it between decoder and encoder: device time per
    output frame and memory in use; first a small video against the CPU."""
    gpu, card = candidate.run, candidate.card
    ladder = ScaleLadder(Fraction(start), FACTOR)
    difference = cascade_difference(device, candidate, ladder)
    if difference is not None and difference > CASCADE_TOLERANCE.get(card.precision, math.inf):
        raise SystemExit(
            f"{candidate.name}: the cascade differs from the CPU's by {difference:.1e}"
        )
    segment = segment_size(ladder, *SIZES[size], SEGMENT_VOXELS)
    part = LONG // 2, LONG // 2 + math.ceil(CASCADE_FRAMES / segment) * segment
    info = clip_info(*SIZES[size], LONG)
    pictures = (noise(3, *SIZES[size], seed=n) for n in range(3))
    decoded = [
        StoredFrame(from_rgb(picture, YUV420, info.colour), YUV420, info.colour)
        for picture in pictures
    ]
    backend = CudaBackend(device, gpu, candidate.tile)

    def climb() -> None:
        for _ in groups(itertools.cycle(decoded), info, ladder, backend, segment, part):
            pass

    climb()
    device.synchronize()
    backend._counting()
    backend.seconds.clear()
    first = device.mark()
    climb()
    last = device.mark()
    device.synchronize()
    backend._counting()()
    frames = (part[1] - part[0]) * FACTOR
    spent = {name: round(1000 * s / frames, 4) for name, s in backend.seconds.items()}
    whole = 1000 * device.seconds_between(first, last) / frames
    return {
        "precision": card.precision,
        "channels": card.channels,
        "start": start,
        "size": size,
        "segment": segment,
        "difference_to_cpu": difference,
        "ms_per_frame": round(whole, 3),
        "ms_by_stage": spent,
        "backprojection_share": round(spent["back-projection"] / sum(spent.values()), 4),
        "tile": list(backend.tile),
        "memory_mib": device.used_memory >> 20,
        "notes": backend.notes,
    }


def cascade_difference(
    device: CudaDevice, candidate: Candidate, ladder: ScaleLadder
) -> float | None:
    """How far a small video is from what the CPU makes of it; None without the .onnx."""
    if candidate.reference is None:
        return None
    on_gpu = CudaBackend(device, candidate.run, candidate.tile)
    return error(_whole(on_gpu, ladder), _by_cpu(candidate.reference, ladder))


@functools.cache
def _by_cpu(model: Path, ladder: ScaleLadder) -> Volume:
    return _whole(CpuBackend(OnnxNetwork(model), (16, 96, 128)), ladder)


def _whole(backend: Any, ladder: ScaleLadder) -> Volume:
    video = noise(3, 5, 96, 128)
    frames = (np.ascontiguousarray(video[:, n]) for n in range(5))
    made = super_resolve(frames, clip_info(96, 128, 5), ladder, backend, 4)
    return np.stack([frame.copy() for frame in made], 1)


def file_to_file(candidate: Candidate, folder: Path) -> Report:
    """`tsr-run` from a 720p video to one: output frames per second, seconds by stage."""
    from tsr.runtime.run import run

    slow = folder / "slow.mkv"
    if not slow.exists():
        write_video(slow)
    result = run(candidate.path, slow, folder / "fast.mp4", device="cuda", overwrite=True)
    return {
        "frames": result.frames,
        "frames_per_second": round(result.frames / result.seconds, 1),
        "seconds": round(result.seconds, 2),
        "stages": {name: round(value, 2) for name, value in result.stages.items()},
        "ladder": result.ladder,
        "notes": result.notes,
    }


def write_video(path: Path) -> None:
    """Waves that move, 720p."""
    height, width = SIZES["720p"]
    info = clip_info(height, width, FILE_FRAMES)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    with ClipWriter(path, info, times=info.times) as writer:
        for n in range(FILE_FRAMES):
            waves = [np.sin(x / 40 + n * k) * np.cos(y / 30 - n) for k in (0.3, 0.5, 0.7)]
            writer.write(np.stack(waves).astype(np.float32) * np.float32(0.4) + np.float32(0.5))


def clip_info(height: int, width: int, frames: int) -> ClipInfo:
    """Of a video at 30 frames/s, as most cameras store them."""
    return ClipInfo(
        path=Path("noise"), width=width, height=height, colour=Colour(),
        times=FrameTimes.constant(Fraction(30), frames),
        pixel_format="yuv420p", bit_depth=8, chroma="420",
    )  # fmt: skip


def measured(device: CudaDevice, models: list[Path]) -> Report:
    """Kernels, then each network and its cascades."""
    report: Report = {"kernels": kernels(device), "network": {}, "cascade": {}, "files": {}}
    report["skipped"] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = candidates(device, models, folder) if models else own_candidates(device, folder)
        for candidate in found:
            if isinstance(candidate, str):
                report["skipped"].append(candidate)
                continue
            report["network"][candidate.name] = network(device, candidate)
            for size, start in climbs(candidate):
                key = f"{candidate.name}, {size} from {start}"
                report["cascade"][key] = cascade(device, candidate, start, size)
            if candidate.chosen:
                report["files"][candidate.name] = file_to_file(candidate, folder)
    return report


def own_candidates(device: CudaDevice, folder: Path) -> Iterator[Candidate | str]:
    """Of models with random weights. Users take FP16; of other forms it is enough to know by how
    much it wins."""
    from benchmarks.gpu_models import own_models

    for candidate in candidates(device, own_models(folder), folder):
        if isinstance(candidate, Candidate) and candidate.card.precision != "fp16":
            yield replace(candidate, chosen=False)
        else:
            yield candidate


def climbs(candidate: Candidate) -> list[tuple[str, str]]:
    """Sizes and ladders to time."""
    whole = [(size, start) for size, starts in LADDERS.items() for start in starts]
    return whole[: len(whole) if candidate.run.any_shape else 2] if candidate.chosen else whole[:1]


def main() -> None:
    """Measure what can be measured here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    if reason := missing():
        raise SystemExit(f"no GPU to measure: {reason}")
    report: Report = {"machine": machine(GPU_LIBRARIES)}
    if reason := without_torch():
        skipped = [f"torch: {reason}"]
    else:
        from benchmarks.gpu_torch import torch_ceilings

        report["torch"] = torch_ceilings()  # first: it also loads cuDNN for ONNX Runtime
        skipped = []
    device = CudaDevice()
    about = {"gpu": device.name, "cuda": device.driver_version, "driver": gpu_driver()}
    report["machine"] |= about
    report |= measured(device, given.models)
    report["skipped"] += skipped
    path = given.out / f"gpu-{device.name.split()[1].lower()}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(gpu_table(report))
    print(f"wrote {path}")


def without_torch() -> str | None:
    """Why torch cannot be measured."""
    if importlib.util.find_spec("torch") is None:
        return "not installed"
    import torch

    return None if torch.cuda.is_available() else f"{torch.__version__} is built without CUDA"


if __name__ == "__main__":
    main()
