"""Back-projection and resampling on the CPU: what `core` states in NumPy, fused and threaded.

All functions take volumes (C, T, H, W) float32. A volume cut along time (`volume[:, a:b]`) is used
where it lies; nothing is copied as long as each channel is contiguous. `NUMBA_NUM_THREADS` bounds
the threads. Importing this module compiles the loops or loads them from numba's cache.

Why numba, and not ONNX Runtime or NumPy: benchmarks/backprojection.py.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba.core import config

from tsr.core.cores import usable_cores
from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.rect import opened
from tsr.core.resize import ResampleTaps
from tsr.core.tiling import spans
from tsr.core.volume import Volume, check_volume
from tsr.runtime import cpu_loops
from tsr.runtime.tap_plan import axis_plan, halving_plan

BAND_ROWS = 32
"""Low-resolution rows per unit of a climb: at 720p its scratch is 0.3 MB."""

CHUNK_PIXELS = 4096
"""Pixels per unit of the loops in time: 16 kB, half a first-level cache."""

TASKS_PER_THREAD = 4
"""Pieces of work per thread, so that a core slowed by others does not hold up the rest."""

MIN_TASK_VOXELS = 1 << 18
"""Voxels below which handing work to another thread costs more than it saves."""


def backproject(
    low: Volume, ltr: Volume, out: Volume | None = None, exposure: float = FULL
) -> Volume:
    """One space-time back-projection, as `core.backproject.backproject`.

    Args:
        low: (C, T·k, h, w) in [0, 1]: half the size, the frame rate wanted.
        ltr: (C, T, 2h, 2w) in [0, 1]: the size wanted, the input's frame rate.
        out: (C, T·k, 2h, 2w) to fill; allocated when absent.
        exposure: of `ltr`, as a fraction of its frame interval.

    Returns:
        (C, T·k, 2h, 2w) in [0, 1]. Groups of k frames average over the exposure to `ltr` wherever
        nothing clipped.
    """
    low, ltr = _readable(low, "low"), _readable(ltr, "ltr")
    channels, frames, height, width = low.shape
    if ltr.shape != (channels, ltr.shape[1], 2 * height, 2 * width) or frames % ltr.shape[1]:
        raise SettingsError(
            f"a low-resolution video of shape {low.shape} does not refine a video of shape "
            f"{ltr.shape}: sides must double and frames be a multiple"
        )
    out = _output(out, (channels, frames, 2 * height, 2 * width))
    rows, columns = axis_plan(height), axis_plan(width)
    shares = opened(frames // ltr.shape[1], exposure)
    units = ltr.shape[1] * -(-height // BAND_ROWS)

    def work(c: int, first: int, last: int) -> None:
        cpu_loops.climb(low[c], ltr[c], out[c], shares, rows, columns, BAND_ROWS, first, last)

    _share_out(work, channels, units, out.size)
    return out


def backproject_t(guess: Volume, ltr: Volume, clip: bool = True, exposure: float = FULL) -> Volume:
    """Shift each group of frames so that its mean over the exposure is the known frame, in place.

    Args:
        guess: (C, T·k, H, W) at the high frame rate, changed and returned.
        ltr: (C, T, H, W), the same video at the low frame rate.
        clip: hold the result in [0, 1].
        exposure: of `ltr`, as a fraction of its frame interval.
    """
    ltr = _readable(ltr, "ltr")
    guess = _output(guess, guess.shape)
    if guess.shape != (ltr.shape[0], guess.shape[1], *ltr.shape[2:]) or (
        guess.shape[1] % ltr.shape[1]
    ):
        raise SettingsError(
            f"a guess of shape {guess.shape} does not refine a video of shape {ltr.shape}"
        )
    pixels = ltr.shape[2] * ltr.shape[3]
    shares = opened(guess.shape[1] // ltr.shape[1], exposure)
    units = ltr.shape[1] * -(-pixels // CHUNK_PIXELS)

    def work(c: int, first: int, last: int) -> None:
        cpu_loops.shift_groups(
            guess[c].reshape(-1, pixels),
            ltr[c].reshape(-1, pixels),
            shares,
            clip,
            CHUNK_PIXELS,
            first,
            last,
        )

    _share_out(work, ltr.shape[0], units, guess.size)
    return guess


def upsample_t(volume: Volume, taps: ResampleTaps, out: Volume | None = None) -> Volume:
    """Resample in time by `taps`: (C, T, H, W) → (C, len(taps.index), H, W), as `apply_taps`."""
    volume = _readable(volume, "volume")
    channels, frames, height, width = volume.shape
    if taps.n_in != frames:
        raise SettingsError(f"taps for {taps.n_in} frames do not fit a video of {frames}")
    out = _output(out, (channels, len(taps.index), height, width))
    index, weight = np.ascontiguousarray(taps.index), np.ascontiguousarray(taps.weight)
    pixels = height * width

    def work(c: int, first: int, last: int) -> None:
        cpu_loops.mix_frames(
            volume[c].reshape(-1, pixels),
            out[c].reshape(-1, pixels),
            index,
            weight,
            CHUNK_PIXELS,
            first,
            last,
        )

    _share_out(work, channels, len(index) * -(-pixels // CHUNK_PIXELS), out.size)
    return out


def halve_hw(volume: Volume) -> Volume:
    """(C, T, H, W) → (C, T, H/2, W/2), bicubic and antialiased, as `core.resize.resize_hw`."""
    volume = _readable(volume, "volume")
    channels, frames, height, width = volume.shape
    if height % 2 or width % 2:
        raise SettingsError(f"a video of {width}×{height} cannot be halved; pad it to even sides")
    rows, columns = halving_plan(height // 2), halving_plan(width // 2)
    out = _output(None, (channels, frames, height // 2, width // 2))

    def work(c: int, first: int, last: int) -> None:
        cpu_loops.halve(volume[c], out[c], rows, columns, first, last)

    _share_out(work, channels, frames * (height // 2), volume.size)
    return out


def thread_count() -> int:
    """Threads to use: `NUMBA_NUM_THREADS`, or the cores that this process may use."""
    return min(int(config.NUMBA_NUM_THREADS), usable_cores())  # type: ignore[attr-defined]


def _share_out(
    work: Callable[[int, int, int], None], channels: int, units: int, voxels: int
) -> None:
    """Run `work(channel, first, last)` over all units of all channels, on threads if it pays."""
    threads = thread_count()
    tasks = min(TASKS_PER_THREAD * threads, voxels // MIN_TASK_VOXELS)
    size = -(-units // max(1, -(-tasks // channels)))
    jobs = iter([(c, *span) for c in range(channels) for span in spans(units, size)])

    def drain() -> None:
        for job in jobs:
            work(*job)

    helpers = min(threads, tasks) - 1
    if helpers < 1:
        drain()
        return
    with ThreadPoolExecutor(helpers) as pool:
        helping = [pool.submit(drain) for _ in range(helpers)]
        drain()  # the caller works too: on a busy machine helpers may start late
    for helper in helping:
        helper.result()


def _readable(volume: Volume, name: str) -> Volume:
    """The volume itself if each of its channels is contiguous, else a copy that is."""
    check_volume(volume, name)
    return volume if volume[0].flags.c_contiguous else np.ascontiguousarray(volume)


def _output(out: Volume | None, shape: tuple[int, ...]) -> Volume:
    """`out` if it can be written as it lies, or a fresh volume."""
    if out is None:
        return np.empty(shape, np.float32)
    check_volume(out, "out")
    if out.shape != shape or not out[0].flags.c_contiguous or not out.flags.writeable:
        raise SettingsError(
            f"a result of shape {shape} does not fit the array given for it: {out.shape}; it must "
            "be writeable and each channel contiguous"
        )
    return out
