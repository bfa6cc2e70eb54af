"""What the network is handed in a real run: a video's windows at every rung of the ladder.

Checks and calibration need them by rung: coarse rungs are sharper and move more than fine ones.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import ClipInfo, ClipReader, clip_info
from tsr.core.ladder import NetworkPass, Rung, ScaleLadder
from tsr.core.tiling import NETWORK_HALO, Span, spans
from tsr.core.volume import Volume
from tsr.runtime.cascade import FramePyramid, run_segment
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.plan import plan_segment

TILE = (8, 64, 64)
"""(frames, rows, columns) of network output per window: small, so that the liveliest places of a
frame can be picked out."""

Network = Callable[[Volume], Volume]
"""A window (3, T + 6, H + 16, W + 16) → (3, T, H, W), whatever computes it."""


@dataclass(frozen=True)
class Window:
    """What the network was handed once, and where in the video of that rung.

    Args:
        volume: (3, T + 6, H + 16, W + 16) float32, interpolated in time.
        frame, row, column: where the network's output (3, T, H, W) begins, counted from 0 at the
            rung's own rate and size.
    """

    volume: Volume
    frame: int
    row: int
    column: int


def record_windows(
    network: Network,
    clip: Path | ClipInfo,
    ladder: ScaleLadder,
    *,
    frames: int = 2,
    keep: int = 4,
    tile: tuple[int, int, int] = TILE,
) -> dict[Rung, list[Window]]:
    """Run the coarse-to-fine loop at a video's liveliest input frames and keep what it reads.

    The video is read twice; memory is bounded by one segment and the windows kept.

    Args:
        network: computes the coarser rungs, on which the finer ones stand.
        clip: the video, or the info of a part of it.
        ladder: a ladder that the video is large enough for (`tsr.runtime.run.choose_ladder`).
        frames: input frames that the loop is run at.
        keep: windows per rung; the liveliest of all that the network is handed.
        tile: (frames, rows, columns) of network output per window.

    Returns:
        For each network pass the rung that it makes, coarsest first, and its windows, liveliest
        first. Their T, H and W are at most the tile's.

    Raises:
        ClipError: the video cannot be read.
    """
    info = clip_info(clip)
    with ClipReader(info.path, info) as reader:
        chosen = liveliest(reader, info.num_frames, frames)
        return windows_at(
            network, iter(reader), info.num_frames, ladder, chosen, keep=keep, tile=tile
        )


def windows_at(
    network: Network,
    frames: Iterator[NDArray[np.float32]],
    num_frames: int,
    ladder: ScaleLadder,
    chosen: Sequence[int],
    *,
    keep: int = 4,
    tile: tuple[int, int, int] = TILE,
) -> dict[Rung, list[Window]]:
    """`record_windows` of `num_frames` frames (3, H, W) at the `chosen` ones, in rising order."""
    recorder = _Recorder(network, ladder, keep, tile)
    pyramid = FramePyramid(frames, ladder, recorder)
    for frame in chosen:
        plan = plan_segment(ladder, (frame, frame + 1), num_frames)
        next(run_segment(plan, pyramid, recorder, num_frames))
    return recorder.windows


def liveliest(frames: Iterable[NDArray[np.float32]], num_frames: int, count: int) -> list[int]:
    """The frame that differs most from the one before, in each of at most `count` equal stretches:
    they are spread over the video, so that not one moment stands for all of it."""
    change = np.zeros(num_frames)
    before: NDArray[np.float32] | None = None
    for n, frame in enumerate(frames):
        if before is not None:
            change[n] = np.abs(frame - before).mean()
        before = frame
    stretches = spans(num_frames, -(-num_frames // count))
    return [first + int(change[first:last].argmax()) for first, last in stretches]


def liveliness(window: Volume) -> float:
    """Mean absolute change from frame to frame of a volume."""
    return float(np.abs(np.diff(window, axis=1)).mean())


def interpolation(window: Volume) -> Volume:
    """A network that adds nothing to the interpolated window; stands in where none is needed."""
    t, h, w = NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w
    return window[:, t:-t, h:-h, w:-w]


class _Recorder(CpuBackend):
    """Keeps the liveliest windows of each rung.

    The finest pass is recorded, not computed: it is most of the work, and no rung is left to read
    it.
    """

    def __init__(
        self,
        network: Network,
        ladder: ScaleLadder,
        keep: int,
        tile: tuple[int, int, int],
    ) -> None:
        super().__init__(self._record, tile)
        self._computed, self._keep = network, keep
        passes = [step for step in ladder.steps if isinstance(step, NetworkPass)]
        self._rungs = [step.after for step in passes]
        self._rung = self._finest = self._rungs[-1]
        self._places: Iterator[tuple[Span, Span, Span]] = iter(())
        self._kept: dict[Rung, list[tuple[float, int, Window]]] = defaultdict(list)
        self._seen = 0

    @property
    def windows(self) -> dict[Rung, list[Window]]:
        """By rung, coarsest first; liveliest first."""
        return {
            rung: [window for _, _, window in sorted(self._kept[rung], reverse=True)]
            for rung in self._rungs
        }

    def network_pass(
        self, step: NetworkPass, given: Volume, span: Span, made: Span, num_given: int
    ) -> Volume:
        """As `CpuBackend`, which walks through chunks, rows and columns in this order."""
        self._rung = step.after
        frames, rows, columns = self.tile
        self._places = itertools.product(
            spans(made[1] - made[0], frames, made[0]),
            spans(given.shape[2], rows),
            spans(given.shape[3], columns),
        )
        return super().network_pass(step, given, span, made, num_given)

    def _record(self, window: Volume) -> Volume:
        self._seen += 1
        frames, rows, columns = next(self._places)
        found = Window(window, frames[0], rows[0], columns[0])
        kept, entry = self._kept[self._rung], (liveliness(window), -self._seen, found)
        if len(kept) < self._keep:
            heapq.heappush(kept, entry)
        else:
            heapq.heappushpop(kept, entry)
        if self._rung != self._finest:
            return self._computed(window)
        return interpolation(window)
