"""First pass over both videos: the re-blur certificate, and where the liveliest moments are."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsr.pipeline.report.footage import Footage, Frame, Shows

STEP = 1 / 255
"""One step of 8 bits, the unit of the certificate."""
BLOCK = 8
"""Pixels of a block whose liveliness is one number."""
SLOTS = 48
"""Parts of the video of which each gives its liveliest frame: what is kept does not grow with the
video."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """How well the output, averaged over each input frame's exposure, gives that frame back.

    A pixel counts as clipped in a frame if any of its outputs is black or white in a channel: there
    the average cannot reach the input. All errors are of single channels, in 1/255.

    Attributes:
        mean, worst, psnr: over all pixels that are not clipped; the PSNR in dB.
        clipped: share of pixels that are. clipped_worst: the largest error there.
        worst_frame: the input frame with the largest error that is not clipped.
        error_map: (H, W) the largest error of each pixel over time where it is not clipped.
    """

    mean: float
    worst: float
    psnr: float
    clipped: float
    clipped_worst: float
    worst_frame: int
    error_map: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Peak:
    """The liveliest place of an input frame.

    Attributes:
        number: the input frame. score: mean change of brightness from the frame before, in 0 to 1.
        row, column: the middle of the place, in pixels.
    """

    number: int
    score: float
    row: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the first pass found; `peaks` are in order of time, at least one."""

    certificate: Certificate
    peaks: tuple[Peak, ...]


def survey(footage: Footage, crop: tuple[int, int], progress: Shows | None = None) -> Survey:
    """Read both videos once.

    Args:
        crop: (height, width) of the place looked for, in pixels.
        progress: where to tell how far the work is.

    Raises:
        ClipError: a video is damaged.
    """
    audit = _Audit(footage)
    height, width = footage.size
    best = Peak(number=footage.first, score=0.0, row=height // 2, column=width // 2)
    peaks: dict[int, Peak] = {}
    for exposure in footage.exposures():
        if progress:
            done = exposure.number - footage.first + 1
            progress.show(f"measuring, {done}/{footage.num_frames} input frames")
        audit.take(exposure.number, exposure.frame, exposure.outputs)
        if exposure.before is None:
            continue
        found = liveliest(exposure.number, exposure.before, exposure.frame, crop)
        slot = (exposure.number - footage.first) * SLOTS // max(footage.num_frames, SLOTS)
        peaks[slot] = max(peaks.get(slot, found), found, key=lambda peak: peak.score)
    return Survey(certificate=audit.certificate(), peaks=tuple(peaks.values()) or (best,))


def liveliest(number: int, before: Frame, frame: Frame, crop: tuple[int, int]) -> Peak:
    """Where a crop of (height, width) sees most change from one (3, H, W) frame to the next."""
    change = np.abs(frame.mean(axis=0) - before.mean(axis=0))  # (H, W)
    rows, columns = (max(side // BLOCK, 1) for side in change.shape)
    side_y, side_x = (min(BLOCK, side) for side in change.shape)
    whole = change[: rows * side_y, : columns * side_x]
    blocks = whole.reshape(rows, side_y, columns, side_x).mean(axis=(1, 3))
    high, wide = min(max(crop[0] // BLOCK, 1), rows), min(max(crop[1] // BLOCK, 1), columns)
    sums = np.pad(blocks.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    boxes = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    top, left = np.unravel_index(int(boxes.argmax()), boxes.shape)
    return Peak(
        number=number,
        score=float(boxes[top, left]) / (high * wide),
        row=int((top + high / 2) * side_y),
        column=int((left + wide / 2) * side_x),
    )


class _Audit:
    """Sums of the certificate."""

    def __init__(self, footage: Footage) -> None:
        self._weights = footage.weights
        self._map = np.zeros(footage.size, np.float32)
        self._count = self._clipped = 0
        self._sum = self._squares = 0.0
        self._worst = (0.0, footage.first)
        self._clipped_worst = 0.0

    def take(self, number: int, frame: Frame, outputs: Iterable[Frame]) -> None:
        total = np.zeros(frame.shape, np.float32)
        clipped = np.zeros(frame.shape[1:], np.bool_)
        for weight, output in zip(self._weights, outputs, strict=True):
            if weight > 0:
                total += weight * output
                clipped |= ((output < STEP / 2) | (output > 1 - STEP / 2)).any(axis=0)
        error = np.abs(total - frame)
        self._clipped_worst = max(self._clipped_worst, float((error * clipped).max()))
        error *= ~clipped
        worst = error.max(axis=0)
        np.maximum(self._map, worst, out=self._map)
        self._worst = max(self._worst, (float(worst.max()), number), key=lambda found: found[0])
        self._count += 3 * clipped.size
        self._clipped += 3 * int(np.count_nonzero(clipped))
        self._sum += float(error.sum(dtype=np.float64))
        self._squares += float(np.vdot(error, error))

    def certificate(self) -> Certificate:
        counted = max(self._count - self._clipped, 1)
        error = max(self._squares / counted, 1e-10)
        return Certificate(
            mean=self._sum / counted / STEP,
            worst=self._worst[0] / STEP,
            psnr=-10 * float(np.log10(error)),
            clipped=self._clipped / max(self._count, 1),
            clipped_worst=self._clipped_worst / STEP,
            worst_frame=self._worst[1],
            error_map=self._map / np.float32(STEP),
        )
