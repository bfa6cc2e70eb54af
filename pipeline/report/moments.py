"""Second pass over both videos: the pictures of a few moments, and lines of pixels over time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tsr.pipeline.record import RunRecord
from tsr.pipeline.report.footage import Exposure, Footage, Frame, Shows
from tsr.pipeline.report.nyquist import Scan, Verdicts, middle_of
from tsr.pipeline.report.phases import large_enough
from tsr.pipeline.report.survey import Peak

MOMENTS = 3
"""Moments shown with pictures."""
STRIP = 16
"""Output frames in a strip."""
SLICE_FRAMES = 160
"""Output frames in a slice over time, about."""

KINDS = ("input", "linear", "ours")
"""What is compared: the input frame held, linear interpolation, the result."""

Levels = NDArray[np.uint8]
"""(H, W, 3) in 0 to 255."""


@dataclass(frozen=True)
class Box:
    """A part of the frame, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, frame: Frame) -> Frame:
        """That part of a (3, H, W) frame."""
        return frame[:, self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass
class Moment:
    """A lively moment.

    Attributes:
        peak: where it is. box: its place. start: first input frame of the strip.
        strip: crops per kind, an output frame each; of the input one per input frame.
        frames: whole frames per kind at the instant `instant`, an output frame counted from the
            strip's first: where the result differs most from linear interpolation.
        stop: input frame after the strip's last.
    """

    peak: Peak
    box: Box
    start: int
    stop: int
    strip: dict[str, list[Levels]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    frames: dict[str, Levels] = field(default_factory=dict)
    instant: int = 0
    _difference: float = -1.0

    def take(self, exposure: Exposure, linear: Sequence[Frame], outputs: Sequence[Frame]) -> None:
        """The next input frame of the strip with what is shown during its exposure."""
        self.strip["input"].append(levels(self.box.cut(exposure.frame)))
        for mixed, ours in zip(linear, outputs, strict=True):
            crops = self.box.cut(mixed), self.box.cut(ours)
            difference = float(np.abs(crops[1] - crops[0]).mean())
            if exposure.number == self.peak.number and difference > self._difference:
                self._difference = difference
                self.instant = len(self.strip["ours"])
                whole = (exposure.frame, mixed, ours)
                self.frames = {
                    kind: levels(frame) for kind, frame in zip(KINDS, whole, strict=True)
                }
            self.strip["linear"].append(levels(crops[0]))
            self.strip["ours"].append(levels(crops[1]))


@dataclass
class Slices:
    """One row and one column of pixels over time, around the liveliest moment.

    Attributes:
        start, stop: input frames. row, column: of the pixels, through the middle of `box`.
        across, down: per kind, one (N, 3) line of pixels per output frame, along x and along y.
    """

    start: int
    stop: int
    row: int
    column: int
    box: Box
    across: dict[str, list[Levels]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    down: dict[str, list[Levels]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def take(self, exposure: Exposure, linear: Sequence[Frame], outputs: Sequence[Frame]) -> None:
        """The next input frame with what is shown during its exposure."""
        rows = slice(self.box.top, self.box.top + self.box.height)
        columns = slice(self.box.left, self.box.left + self.box.width)
        for shown in zip([exposure.frame] * len(outputs), linear, outputs, strict=True):
            for kind, frame in zip(KINDS, shown, strict=True):
                self.across[kind].append(levels(frame[:, self.row, None, columns])[0])
                self.down[kind].append(levels(frame[:, rows, self.column, None])[:, 0])

    @property
    def down_tells_more(self) -> bool:
        """Whether the result differs more from linear interpolation along y than along x."""
        return _distance(self.down) > _distance(self.across)


@dataclass(frozen=True)
class Gathered:
    """What the second pass found; `verdicts` is None for frames too small to judge."""

    moments: tuple[Moment, ...]
    slices: Slices
    verdicts: tuple[Verdicts, ...] | None


def gather(
    footage: Footage,
    peaks: Sequence[Peak],
    crop: tuple[int, int],
    progress: Shows | None = None,
) -> Gathered:
    """Read both videos once more, as far as the peaks need it.

    Raises:
        ClipError: a video is damaged.
    """
    moments = tuple(_moment(footage, peak, crop) for peak in spread(peaks, footage.num_frames))
    slices = _slices(footage, max(moments, key=lambda moment: moment.peak.score))
    takers: tuple[Moment | Slices, ...] = (*moments, slices)
    judged = large_enough(*footage.size)
    wanted = _judgeable(footage, peaks) if judged else set()
    scan = Scan(wanted, middle_of(footage.weights), footage.size)
    last = max(*(taker.stop for taker in takers), *(number + 2 for number in wanted), 0)
    for exposure in footage.exposures():
        if exposure.number >= last:
            break
        if progress:
            done = exposure.number - footage.first + 1
            progress.show(f"pictures, {done}/{last - footage.first} input frames")
        _feed(exposure, footage.record, scan, takers)
    return Gathered(moments, slices, tuple(scan.verdicts) if judged else None)


def _feed(
    exposure: Exposure, record: RunRecord, scan: Scan, takers: Sequence[Moment | Slices]
) -> None:
    """Give one input frame and its outputs to whoever wants them."""
    takers = [taker for taker in takers if taker.start <= exposure.number < taker.stop]
    scan.take_input(exposure.number, exposure.frame)
    kept: list[Frame] = []
    for index, output in enumerate(exposure.outputs):
        scan.take_output(exposure.number, index, output)
        if takers:
            kept.append(output)
    if takers:
        linear = exposure.linear(record)
        for taker in takers:
            taker.take(exposure, linear, kept)


def spread(peaks: Sequence[Peak], num_frames: int) -> list[Peak]:
    """The liveliest peaks that are well apart in time, in order of time."""
    chosen: list[Peak] = []
    for peak in sorted(peaks, key=lambda peak: -peak.score):
        if all(abs(peak.number - other.number) > num_frames // 8 for other in chosen):
            chosen.append(peak)
    return sorted(chosen[:MOMENTS], key=lambda peak: peak.number)


def levels(frame: Frame) -> Levels:
    """(3, H, W) in [0, 1] as (H, W, 3) in 0 to 255."""
    return np.rint(np.clip(frame, 0, 1).transpose(1, 2, 0) * 255).astype(np.uint8)


def box_around(row: int, column: int, size: tuple[int, int], frame: tuple[int, int]) -> Box:
    """A box of `size` about a place, moved into the frame of (height, width), cut to it."""
    height, width = (min(a, b) for a, b in zip(size, frame, strict=True))
    top = min(max(row - height // 2, 0), frame[0] - height)
    left = min(max(column - width // 2, 0), frame[1] - width)
    return Box(top, left, height, width)


def _moment(footage: Footage, peak: Peak, crop: tuple[int, int]) -> Moment:
    count = max(STRIP // footage.record.factor, 1)
    start, stop = _window(footage, peak.number, count)
    return Moment(peak, box_around(peak.row, peak.column, crop, footage.size), start, stop)


def _slices(footage: Footage, moment: Moment) -> Slices:
    count = max(SLICE_FRAMES // footage.record.factor, 1)
    start, stop = _window(footage, moment.peak.number, count)
    size = (2 * moment.box.height, 2 * moment.box.width)
    box = box_around(moment.peak.row, moment.peak.column, size, footage.size)
    middle = moment.box.top + moment.box.height // 2, moment.box.left + moment.box.width // 2
    return Slices(start, stop, *middle, box)


def _window(footage: Footage, number: int, count: int) -> tuple[int, int]:
    """Input frames [start, stop) about one, within its shot."""
    shot = footage.shot_of(number)
    count = min(count, shot.stop - shot.start)
    start = min(max(number - count // 2, shot.start), shot.stop - count)
    return start, start + count


def _judgeable(footage: Footage, peaks: Sequence[Peak]) -> set[int]:
    """The frame before each peak, whose motion leads to it: never across a cut."""
    return {peak.number - 1 for peak in peaks if peak.number > footage.shot_of(peak.number).start}


def _distance(lines: dict[str, list[Levels]]) -> float:
    """Between the result's lines and linear interpolation's, in what varies along them."""
    difference = np.stack(lines["ours"]).astype(np.float32) - np.stack(lines["linear"])
    return float(np.abs(difference - difference.mean(axis=1, keepdims=True)).mean())
