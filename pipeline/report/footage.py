"""The two videos of a run side by side: each input frame with the output frames that cover it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import ClipInfo, ClipReader, probe
from tsr.core.clip_io.opening import open_clip
from tsr.core.errors import ClipError, SettingsError
from tsr.core.rect import exposure_weights
from tsr.pipeline.record import RunRecord, ShotRecord

Frame = NDArray[np.float32]
"""(3, H, W) float32 in [0, 1]."""

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
"""Transfer codes (ISO/IEC 23091-2) whose values need tone mapping before a browser shows them."""

LOSSLESS = frozenset({"ffv1", "png", "huffyuv", "ffvhuff", "utvideo", "rawvideo"})
"""Codecs that always are; others may be, too, but do not say so."""


class Shows(Protocol):
    """Whoever tells how far the work is, such as `core.console.Progress`."""

    def show(self, text: str) -> None: ...


@dataclass(frozen=True)
class Exposure:
    """One input frame, its neighbours within the shot, and the output frames that cover it."""

    number: int
    """Of the input frame, from 0 in the file."""
    before: Frame | None
    """The frame before, None where a shot begins."""
    frame: Frame
    after: Frame | None
    """The frame after, None where a shot ends."""
    outputs: Iterator[Frame]
    """As many as the factor, one at a time."""

    def linear(self, record: RunRecord) -> list[Frame]:
        """What linear interpolation shows at the instants of `outputs`."""
        from tsr.evaluation.baselines import upsampled

        window = [frame for frame in (self.before, self.frame, self.after) if frame is not None]
        first = 0 if self.before is None else record.factor
        mixed = upsampled(window, record.factor, "linear", record.exposure)
        return list(islice(mixed, first, first + record.factor))


@dataclass(frozen=True)
class Footage:
    """Where the frames of a run are.

    Args:
        record: of the run. slow, fast: its input and output.
        offset: the output frame with which the first shot begins.
        codec: what the output is encoded by.
    """

    record: RunRecord
    slow: ClipInfo
    fast: ClipInfo
    offset: int
    codec: str

    @property
    def lossless(self) -> bool:
        """Whether the codec keeps what it is given."""
        return self.codec in LOSSLESS

    @property
    def shots(self) -> tuple[ShotRecord, ...]:
        return self.record.shots

    @property
    def first(self) -> int:
        """First input frame that was retimed."""
        return self.shots[0].start

    @property
    def stop(self) -> int:
        """Input frame after the last that was retimed."""
        return self.shots[-1].stop

    @property
    def num_frames(self) -> int:
        """Input frames that were retimed."""
        return self.stop - self.first

    @property
    def weights(self) -> NDArray[np.float32]:
        """How much each output frame counts in its input frame: (factor,), with sum 1."""
        return exposure_weights(self.record.factor, self.record.exposure)

    @property
    def quarter_turns(self) -> int:
        """Counter-clockwise, as players turn the frame."""
        return self.slow.rotation // 90 % 4

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a frame as players turn it."""
        size = (self.slow.height, self.slow.width)
        return size if self.quarter_turns % 2 == 0 else size[::-1]

    @property
    def pixel_ratio(self) -> float:
        """Width of a pixel over its height, as players turn it."""
        ratio = float(self.slow.sample_aspect_ratio or 1)
        return ratio if self.quarter_turns % 2 == 0 else 1 / ratio

    def shot_of(self, number: int) -> ShotRecord:
        """The shot of an input frame."""
        return next(shot for shot in self.shots if shot.start <= number < shot.stop)

    def seconds(self, number: int) -> float:
        """When an input frame begins."""
        return float(self.slow.times.starts[number])

    def exposures(self) -> Iterator[Exposure]:
        """All retimed input frames, in order; at most three of them are held."""
        factor = self.record.factor
        with ClipReader(self.slow.path, self.slow) as slow, self._fast() as fast:
            outputs = map(self._turned, islice(fast, self.offset, None))
            inputs = map(self._turned, islice(slow, self.first, self.stop))
            for number, before, frame, after in self._neighbours(inputs):
                group = islice(outputs, factor)
                yield Exposure(number, before, frame, after, group)
                deque(group, maxlen=0)  # what the caller left

    def _fast(self) -> ClipReader:
        return ClipReader(self.fast.path, self.fast)

    def _turned(self, frame: Frame) -> Frame:
        return np.rot90(frame, self.quarter_turns, axes=(1, 2))

    def _neighbours(
        self, inputs: Iterator[Frame]
    ) -> Iterator[tuple[int, Frame | None, Frame, Frame | None]]:
        for shot in self.shots:
            before, frame = None, next(inputs)
            for number in range(shot.start, shot.stop):
                after = next(inputs) if number + 1 < shot.stop else None
                yield number, before, frame, after
                if after is not None:
                    before, frame = frame, after


def open_footage(record: RunRecord) -> Footage:
    """Find both videos and see that they belong to the record.

    Raises:
        ClipError: a video is missing or damaged, or not the one that the record tells of.
        SettingsError: the record's shots leave gaps, or there are none.
    """
    shots = record.shots
    if not shots or any(a.stop != b.start for a, b in pairwise(shots)):
        raise SettingsError("the record's shots do not follow one another; write it again")
    if any(shot.stop <= shot.start for shot in shots) or shots[0].start < 0 or record.factor < 1:
        raise SettingsError("the record names a shot without frames; write it again")
    slow = probe(record.input, deinterlace=record.settings.get("deinterlace", True) is not False)
    fast = probe(record.output)
    if (slow.height, slow.width) != (fast.height, fast.width):
        raise ClipError(
            f"{record.output} has frames of {fast.width}×{fast.height}, {record.input} of "
            f"{slow.width}×{slow.height}; they are not one run's"
        )
    offset = _offset(record, slow.num_frames, fast.num_frames)
    return Footage(record, slow, fast, offset, _codec(record.output))


def _codec(path: Path) -> str:
    if path.is_dir():
        return "png"
    with open_clip(path) as (_, stream):
        return stream.codec_context.name


def _offset(record: RunRecord, inputs: int, outputs: int) -> int:
    """Output frame at which the first shot begins: an output may hold the retimed part alone, the
    whole input at the new rate, or the rest of it at its own rate."""
    first, stop = record.shots[0].start, record.shots[-1].stop
    retimed = record.factor * (stop - first)
    begins = {
        retimed: 0,
        first + retimed + inputs - stop: first,
        inputs * record.factor: first * record.factor,
    }
    if stop > inputs or outputs not in begins:
        raise ClipError(
            f"{record.output} has {outputs} frames and {record.input} {inputs}; the record tells "
            f"of frames {first} to {stop} at ×{record.factor}. Give it the videos it was made from"
        )
    return begins[outputs]
