"""Is the GPU right, and how fast is it? Correctness first, then kernels, network and cascade.

    python -m benchmarks.gpu MODEL.onnx [MORE.onnx …]

Runs what is there of pycuda (kernels), onnxruntime-gpu (network, cascade) and torch (a matrix
product and the same network for comparison), and says what is missing. Times are between events on
the stream, launch and allocation included: medians, but the ladder is one run after a warm-up.
Writes results/gpu-NAME.json and prints it.
"""

import argparse
import importlib.util
import json
import statistics
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import ROOT, machine
from tsr.core.backproject import backproject
from tsr.core.ladder import ScaleLadder
from tsr.core.resize import resize_hw
from tsr.core.volume import Volume
from tsr.runtime.cascade import FramePyramid, run_segment
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.cuda_backend import TILE, CudaBackend
from tsr.runtime.cuda_kernels import CudaKernels, DeviceVolume
from tsr.runtime.device import CudaDevice, missing
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.plan import network_taps, plan_segments

HEIGHT, WIDTH, FACTOR = 720, 1280, 8
REPEATS = 20
TILES = ((16, 184, 320), (32, 184, 320), (16, 368, 640), (64, 120, 160))
KERNEL_TOLERANCE, CASCADE_TOLERANCE = 2e-6, {"fp32": 2e-3, "fp16": 2e-2}
"""Largest differences to NumPy and to the CPU cascade: sums of thousands of terms in another
order, and FP16's last place."""

Report = dict[str, Any]


def noise(*shape: int, seed: int = 0) -> Volume:
    """A random volume in [0.2, 0.8]: no zeros, nothing clips by itself."""
    return np.random.default_rng(seed).random(shape, np.float32) * np.float32(0.6) + np.float32(0.2)


def milliseconds(device: CudaDevice, work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median device time of `work`, after a warm-up."""
    for _ in range(3):
        work()
    times = []
    for _ in range(repeats):
        first = device.mark()
        work()
        last = device.mark()
        device.synchronize()
        times.append(1000 * device.seconds_between(first, last))
    return statistics.median(times)


def kernels(device: CudaDevice) -> Report:
    """Each kernel against NumPy at a small odd size, then its bandwidth at 720p.

    Bytes are those that must move: each input read once, each output written once.
    """
    run = CudaKernels(device)
    backend = CudaBackend(device, _no_network)

    def put(volume: Volume) -> DeviceVolume:
        return backend.load(volume)

    low, known = noise(3, 8, 45, 37), noise(3, 1, 90, 74, seed=1)
    errors = {
        "climb": _error(backend.store(run.climb(put(low), put(known))), backproject(low, known)),
        "halve": _error(backend.store(run.halve(put(known))), resize_hw(known, 45, 37)),
    }
    if max(errors.values()) > KERNEL_TOLERANCE:
        raise SystemExit(f"a kernel is wrong: {errors}")

    source, target = device.allocate(1 << 30), device.allocate(1 << 30)
    copy = milliseconds(device, lambda: device.copy(target.address, source.address, 1 << 30))
    bandwidth = 2 * (1 << 30) / copy / 1e6
    source = target = None  # type: ignore[assignment]
    low_gpu, known_gpu = put(noise(3, 32, 360, 640)), put(noise(3, 4, 720, 1280, seed=1))
    given, answer = put(noise(3, 16, 360, 640)), put(noise(3, 16, 184, 320))
    taps = network_taps((8, 24), 16)
    first, last = taps.needs()
    table = run.time_table(taps.within(first, last), 22)
    window = run.volume(3, 22, 200, 336)
    placed = run.volume(3, 16, 360, 640)
    voxels = {"climb": 3 * 32 * 720 * 1280, "halve": 3 * 4 * 720 * 1280}
    cases: dict[str, tuple[Callable[[], object], float]] = {
        "climb": (lambda: run.climb(low_gpu, known_gpu), 4 * voxels["climb"] * (1 + 1 / 4 + 1 / 8)),
        "halve": (lambda: run.halve(known_gpu), 4 * voxels["halve"] * 1.25),
        "gather": (
            lambda: run.gather(given.frames((first, last)), table, 0, 0, window),
            4 * 3 * (22 * 200 * 336 + (last - first) * 192 * 328),
        ),
        "place": (
            lambda: run.place(answer, given.frames((0, 8)), placed, 0, 0),
            4 * 3 * (2 * 16 + 8) * 184 * 320,
        ),
    }
    found: Report = {"copy_gb_s": round(bandwidth), "errors": errors}
    for name, (work, num_bytes) in cases.items():
        ms = milliseconds(device, work)
        rate = num_bytes / ms / 1e6
        share = round(rate / bandwidth, 3)
        found[name] = {"ms": round(ms, 4), "gb_s": round(rate), "of_copy": share}
    return found


def network(device: CudaDevice, model: Path) -> Report:
    """The network pass by ONNX Runtime, at several tile shapes; the first tile against the CPU."""
    from tsr.runtime.onnx_cuda import OnnxCudaNetwork

    gpu, run = OnnxCudaNetwork(model, device), CudaKernels(device)
    backend = CudaBackend(device, gpu)
    small = noise(3, 10, 40, 48)
    made = run.volume(3, 4, 24, 32)
    gpu(backend.load(small), made)
    found: Report = {
        "precision": gpu.card.precision,
        "channels": gpu.card.channels,
        "error": _error(backend.store(made), OnnxNetwork(model)(small)),
        "tiles": {},
    }
    for t, h, w in TILES:
        given, answer = backend.load(noise(3, t + 6, h + 16, w + 16)), run.volume(3, t, h, w)
        ms = milliseconds(device, lambda g=given, a=answer: gpu(g, a), 10)  # type: ignore[misc]
        flop = 2 * weights(gpu.card.channels) * t * h * w
        shape = f"{t}x{h}x{w}"
        found["tiles"][shape] = {"ms": round(ms, 3), "tflop_s": round(flop / ms / 1e9, 1)}
    return found


def cascade(device: CudaDevice, model: Path, start: str) -> Report:
    """The whole ladder at 720p ×8: device time per output frame; first a small video against the
    CPU."""
    from tsr.runtime.onnx_cuda import OnnxCudaNetwork

    gpu = OnnxCudaNetwork(model, device)
    ladder = ScaleLadder(Fraction(start), FACTOR)
    small = noise(3, 5, 96, 128)
    tile = (16, 96, 128)
    slow = np.concatenate(
        [a.copy() for a in _run(CpuBackend(OnnxNetwork(model), tile), small, ladder)], 1
    )
    fast = np.concatenate(
        [a.copy() for a in _run(CudaBackend(device, gpu, tile), small, ladder)], 1
    )
    error = _error(fast, slow)
    if error > CASCADE_TOLERANCE[gpu.card.precision]:
        raise SystemExit(f"the cascade on the GPU differs from the CPU's by {error:.1e}")
    video = np.concatenate([noise(3, 4, HEIGHT, WIDTH, seed=n) for n in range(2)], 1)
    backend = CudaBackend(device, gpu, TILE)
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
        "precision": gpu.card.precision,
        "channels": gpu.card.channels,
        "start": start,
        "difference_to_cpu": error,
        "ms_per_frame": round(whole, 3),
        "ms_by_stage": spent,
        "backprojection_share": round(spent["back-projection"] / sum(spent.values()), 4),
        "tile": list(backend.tile),
    }


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
        t, h, w = TILES[0]
        base = torch.rand(1, 3, t + 6, h + 16, w + 16, device="cuda", dtype=torch.float16)
        base = base.contiguous(memory_format=torch.channels_last_3d)
        with torch.no_grad():
            ms = timed(lambda n=net, b=base: n.residual(b))  # type: ignore[misc]
        flop = 2 * weights(channels) * t * h * w
        found[f"network_fp16_{channels}"] = {
            "tile": list(TILES[0]),
            "ms": round(ms, 3),
            "tflop_s": round(flop / ms / 1e9, 1),
        }
    return found


def weights(channels: int) -> int:
    """Multiplications per output voxel, halo not counted."""
    return 2 * 3 * 27 * channels + channels**2 * (27 + 5 * 9)


def _run(backend: Any, video: Volume, ladder: ScaleLadder, store: bool = True) -> Iterator[Any]:
    frames = (np.ascontiguousarray(video[:, n]) for n in range(video.shape[1]))
    pyramid: FramePyramid[Any] = FramePyramid(frames, ladder, backend)
    for plan in plan_segments(ladder, video.shape[1], 4):
        for group in run_segment(plan, pyramid, backend, video.shape[1]):
            yield backend.store(group) if store else group


def _error(found: Volume, expected: Volume) -> float:
    return float(np.abs(found - expected).max())


class _NoNetwork:
    name = "none"

    def __call__(self, window: DeviceVolume, made: DeviceVolume) -> None:
        raise MemoryError


_no_network = _NoNetwork()


def main() -> None:
    """Measure what can be measured here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    if reason := missing():
        raise SystemExit(f"no GPU to measure: {reason}")
    report: Report = {"machine": machine()}
    if importlib.util.find_spec("torch"):
        report["torch"] = torch_ceilings()  # first: it also loads cuDNN for ONNX Runtime
    device = CudaDevice()
    report["machine"] |= {"gpu": device.name, "cuda": device.driver_version}
    report["kernels"] = kernels(device)
    from tsr.runtime import onnx_cuda

    if reason := onnx_cuda.missing():
        print(f"no network on the GPU: {reason}")
    else:
        for model in given.models:
            name = model.stem
            report.setdefault("network", {})[name] = network(device, model)
            for start in ("1/8", "1/4"):
                key = f"{name} from {start}"
                report.setdefault("cascade", {})[key] = cascade(device, model, start)
    path = given.out / f"gpu-{device.name.split()[1].lower()}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
