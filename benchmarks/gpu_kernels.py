"""For `benchmarks.gpu`: each CUDA kernel against NumPy, then its bandwidth at 720p."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tsr.core.backproject import backproject, backproject_t
from tsr.core.clip_io import Colour
from tsr.core.clip_io.pixels import Layout, from_rgb, to_rgb
from tsr.core.resize import apply_taps, resize_hw
from tsr.core.tiling import NETWORK_HALO
from tsr.core.tiling import gather as cut
from tsr.core.volume import Volume
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.cuda_frames import StoredFrame, convert
from tsr.runtime.cuda_kernels import CudaKernels, DeviceVolume
from tsr.runtime.device import CudaDevice
from tsr.runtime.plan import network_taps

KERNEL_TOLERANCE = 2e-6
"""Largest difference to NumPy: sums of thousands of terms in another order."""

YUV420 = Layout("yuv", 8, halve_columns=True, halve_rows=True)
"""What most videos hold."""

REPEATS = 20
LAUNCHES = 40
"""Launches between two marks, so that what a mark costs does not show."""

ROTATED_BYTES = 512 << 20
"""Data that the launches go through in turn: several times any cache, so that none helps."""

COPY_BYTES = 1 << 30

Report = dict[str, Any]
Work = Callable[[], object]


def noise(*shape: int, seed: int = 0) -> Volume:
    """A random volume in [0.2, 0.8]: no zeros, nothing clips by itself."""
    return np.random.default_rng(seed).random(shape, np.float32) * np.float32(0.6) + np.float32(0.2)


def milliseconds(
    device: CudaDevice, works: Sequence[Work], *, launches: int = 1, repeats: int = REPEATS
) -> float:
    """Median device time of one work, of `launches` in a row taken from `works` in turn.

    All are handed over while the device is busy with copies, so that it never waits for the host.
    """
    blocker = device.allocate(COPY_BYTES)
    half = COPY_BYTES // 2
    for work in works:
        work()
    times = []
    for _ in range(repeats):
        for _ in range(LAUNCHES):
            device.copy(blocker.address, blocker.address + half, half)
        first = device.mark()
        for n in range(launches):
            works[n % len(works)]()
        last = device.mark()
        device.synchronize()
        times.append(1000 * device.seconds_between(first, last) / launches)
    return statistics.median(times)


def kernels(device: CudaDevice) -> Report:
    """Errors against NumPy at a small odd size, then times and bandwidths at 720p.

    Bytes are those that must move: each input read once, each output written once.
    """
    run = CudaKernels(device)
    backend = CudaBackend(device, _NoNetwork())
    errors = kernel_errors(device)
    if max(errors.values()) > KERNEL_TOLERANCE:
        raise SystemExit(f"a kernel is wrong: {errors}")
    bandwidth = copy_bandwidth(device)
    found: Report = {"copy_gb_s": round(bandwidth), "errors": errors}
    for name, (make, num_bytes) in cases(run, backend).items():
        works = [make(seed) for seed in range(max(2, math.ceil(ROTATED_BYTES / num_bytes)))]
        ms = milliseconds(device, works, launches=LAUNCHES)
        rate = num_bytes / ms / 1e6
        share = round(rate / bandwidth, 3)
        found[name] = {"ms": round(ms, 4), "gb_s": round(rate), "of_copy": share}
    return found | {"launches": LAUNCHES, "rotated_mib": ROTATED_BYTES >> 20}


def copy_bandwidth(device: CudaDevice) -> float:
    """GB/s of a large copy on the device, read and written."""
    source, target = device.allocate(COPY_BYTES), device.allocate(COPY_BYTES)
    ms = milliseconds(
        device, [lambda: device.copy(target.address, source.address, COPY_BYTES)], launches=4
    )
    return 2 * COPY_BYTES / ms / 1e6


def kernel_errors(device: CudaDevice) -> dict[str, float]:
    """Largest differences to NumPy."""
    run, backend = CudaKernels(device), CudaBackend(device, _NoNetwork())
    climb_error = halve_error = 0.0
    for width in (37, 68):  # rows that are not whole quads have loops of their own
        low, known = noise(3, 8, 45, width), noise(3, 1, 90, 2 * width, seed=1)
        climbed = backend.store(run.climb(backend.load(low), backend.load(known)))
        halved = backend.store(run.halve(backend.load(known)))
        climb_error = max(climb_error, error(climbed, backproject(low, known)))
        halve_error = max(halve_error, error(halved, resize_hw(known, 45, width)))

    given, halo = noise(3, 8, 45, 37), NETWORK_HALO
    taps = network_taps((4, 8), 8)
    window = run.volume(3, 4 + 2 * halo.t, 24 + 2 * halo.h, 20 + 2 * halo.w)
    run.gather(backend.load(given), run.time_table(taps, window.shape[1]), 24, 20, window)
    gathered = cut(apply_taps(given, taps, 1), (24, 48), (20, 40), halo)

    guess, under = noise(3, 4, 45, 36), noise(3, 2, 45, 36, seed=1)
    placed = run.volume(3, 4, 45, 36)
    run.place(backend.load(guess), backend.load(under), placed, 0, 0)
    shifted = backend.load(guess)
    run.shift(shifted, backend.load(under))
    corrected = np.clip(backproject_t(guess, under), 0, 1)

    planes = from_rgb(guess[:, 0], YUV420, Colour())
    loaded = backend.store(backend.load_frame(StoredFrame(planes, YUV420, Colour()), 1))
    (stored,) = backend.begin_store_planes(backend.load(guess[:, :1]), 45, 36, YUV420, Colour())()
    return {
        "climb": climb_error,
        "halve": halve_error,
        "gather": error(backend.store(window), gathered),
        "place": error(backend.store(placed), corrected),
        "shift": error(backend.store(shifted), corrected),
        "load_planes": error(loaded[:, 0], to_rgb(planes, YUV420, Colour())),
        # One level of 255 is the rounding of a value between two.
        "store_planes": max(
            0.0,
            float(
                max(np.abs(a.astype(int) - b).max() for a, b in zip(stored, planes, strict=True))
                - 1
            ),
        ),
    }


def cases(run: CudaKernels, backend: CudaBackend) -> dict[str, tuple[Callable[[int], Work], float]]:
    """For each kernel: what makes a launch on data of its own, and the bytes that it moves.

    Frames cross to the device and back too, which the bytes of their two kernels leave out.
    """
    load = backend.load
    taps = network_taps((8, 24), 16)
    first, last = taps.needs()
    table = run.time_table(taps.within(first, last), 22)

    def climb(seed: int) -> Work:
        low, known = load(noise(3, 32, 360, 640, seed=seed)), load(noise(3, 4, 720, 1280))
        return _kept(lambda: run.climb(low, known))

    def halve(seed: int) -> Work:
        known = load(noise(3, 4, 720, 1280, seed=seed))
        return _kept(lambda: run.halve(known))

    def gather(seed: int) -> Work:
        given = load(noise(3, 16, 360, 640, seed=seed)).frames((first, last))
        window = run.volume(3, 22, 200, 336)
        return lambda: run.gather(given, table, 0, 0, window)

    def place(seed: int) -> Work:
        answer, known = load(noise(3, 16, 184, 320, seed=seed)), load(noise(3, 8, 360, 640))
        placed = run.volume(3, 16, 360, 640)
        return lambda: run.place(answer, known, placed, 0, 0)

    def load_planes(seed: int) -> Work:
        planes = from_rgb(noise(3, 720, 1280, seed=seed), YUV420, Colour())
        source = run.device.upload(np.concatenate([plane.ravel() for plane in planes]))
        size = (720, 1280)
        return _kept(lambda: convert(run, source.address, size, YUV420, Colour(), 8))

    def store_planes(seed: int) -> Work:
        made = load(noise(3, 8, 720, 1280, seed=seed))
        held: list[Any] = []

        def work() -> None:
            held[:] = [backend.begin_store_planes(made, 720, 1280, YUV420, Colour())]

        return work

    return {
        "load_planes": (load_planes, 720 * 1280 * (1.5 + 4 * 3)),
        "store_planes": (store_planes, 8 * 720 * 1280 * (1.5 + 4 * 3)),
        "climb": (climb, 4 * 3 * 32 * 720 * 1280 * (1 + 1 / 4 + 1 / 8)),
        "halve": (halve, 4 * 3 * 4 * 720 * 1280 * 1.25),
        "gather": (gather, 4 * 3 * (22 * 200 * 336 + (last - first) * 192 * 328)),
        "place": (place, 4 * 3 * (2 * 16 + 8) * 184 * 320),
    }


def error(found: Volume, expected: Volume) -> float:
    """The largest difference."""
    return float(np.abs(found - expected).max())


def _kept(make: Callable[[], DeviceVolume]) -> Work:
    """A work that holds on to its result until the next, so that results rotate as well."""
    held: list[DeviceVolume] = []

    def work() -> None:
        made = make()
        held[:] = [made]

    return work


class _NoNetwork:
    name, any_shape = "none", False

    def __call__(self, window: DeviceVolume, made: DeviceVolume) -> None:
        raise MemoryError
