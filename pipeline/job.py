"""One input and its output, looked at before any work: what is cheap to know is known first."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from tsr.core.clip_io import (
    ClipInfo,
    Encoding,
    FrameTimes,
    Stretch,
    choose_encoding,
    probe,
    retimed,
)
from tsr.core.console import duration
from tsr.core.errors import ClipError, OutputError, SettingsError
from tsr.core.ladder import ScaleLadder
from tsr.core.outputs import check_output, named
from tsr.core.pipes import is_pipe
from tsr.core.tiling import Span
from tsr.pipeline.options import Options
from tsr.runtime.run import default_output

MIN_FRAMES = 8
"""Frames that a network can learn from at least: `tsr.trainer.coarse.MIN_FRAMES`, without torch."""

FRAME_BYTES = 10
BITS_PER_PIXEL = {"ffv1": 0.01, "png": 0.03, "prores": 0.05}
OTHER_BITS_PER_PIXEL = 0.0004
"""What an encoder leaves of a frame and its pixels at the very least, which is of a plain still
scene: to see whether the disk can hold it."""


class Frames(Protocol):
    """Input frames [start, stop): a `range`, or a shot."""

    @property
    def start(self) -> int: ...
    @property
    def stop(self) -> int: ...


@dataclass(frozen=True)
class Section:
    """Input frames that are made in one way.

    Args:
        frames: [first, last) of the input. shot: the shot that they lie in, at whose ends frames
            repeat. factor: output frames per input frame; 1 for frames that stay as they are.
    """

    frames: Span
    shot: Span
    factor: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """An input that can be worked on.

    Args:
        clip: the input's info. output: the file or folder. options: the user's.
        retimed: input frames [first, last) whose rate is raised.
    """

    clip: ClipInfo
    output: Path
    options: Options
    retimed: Span

    def sections(self, shots: Sequence[Frames]) -> list[Section]:
        """The input in order, cut at the shots and at the ends of the part that is retimed."""
        found = []
        for shot in shots:
            span = (shot.start, shot.stop)
            bounds = sorted({*span, *(end for end in self.retimed if span[0] < end < span[1])})
            for first, last in pairwise(bounds):
                inside = self.retimed[0] <= first and last <= self.retimed[1]
                found.append(Section((first, last), span, self.options.factor if inside else 1))
        return found

    def times(self, sections: Sequence[Section]) -> FrameTimes:
        """When each output frame is shown."""
        starts: list[Fraction] = []
        now = self.clip.times.starts[0]
        knots = [(now, now)]
        for section in sections:
            given = self.clip.times.part(*section.frames)
            part = retimed(given, section.factor, slow_motion=self.options.slow_motion)
            late = now - part.starts[0]
            starts += [start + late for start in part.starts] if late else part.starts
            now = part.end + late
            knots.append((given.end, now))
        return FrameTimes(tuple(starts), now, Stretch(tuple(knots)))

    def encoding(self, times: FrameTimes) -> Encoding:
        """How the output is stored."""
        return choose_encoding(
            self.output,
            replace(self.clip, times=times),
            encoder=self.options.encoder,
            quality=self.options.crf,
        )

    @property
    def whole(self) -> list[Frames]:
        """The video as a single shot."""
        return [range(self.clip.num_frames)]


def prepare(
    clip: Path,
    output: Path | None,
    options: Options,
    cache: Path,
    inputs: tuple[Path, ...] = (),
    *,
    preview: bool = False,
) -> Job:
    """Look at an input and at where its output shall go.

    Args:
        output: beside the input and named after the factor if None.
        cache: the folder that pieces of the render will lie in.
        inputs: of the same run, none of which the output may replace.
        preview: that is all that will be written; the output may be there.

    Raises:
        TsrError: the input is unreadable or too short or small, the output cannot be written or
            encoded, or the disk is too full for it.
    """
    output = output or default_output(clip, options.factor)
    if is_pipe(output):
        raise OutputError(
            "tsr writes its output from finished pieces, so it needs a file: give -o NAME.mkv; "
            "tsr-run is what writes into a pipe"
        )
    written = preview_path(output) if preview else output
    check_output(written, inputs=(clip, *inputs), overwrite=options.overwrite)
    info = probe(clip, deinterlace=options.deinterlace)
    if info.num_frames < MIN_FRAMES:
        raise ClipError(
            f"{clip} has {info.num_frames} frame{'s' * (info.num_frames != 1)}; at least "
            f"{MIN_FRAMES} are needed to learn from. Use a longer clip"
        )
    ScaleLadder.for_size(info.height, info.width, options.factor)
    job = Job(clip=info, output=output, options=options, retimed=chosen_frames(info, options.part))
    times = job.times(job.sections(job.whole))
    _check_space(job, job.encoding(times), times.num_frames, cache)
    return job


def preview_path(output: Path) -> Path:
    """Beside the output: fast.mp4 has fast_preview.mp4.

    Raises:
        OutputError: the output has no name.
    """
    output = named(output)
    return output.with_name(f"{output.stem}_preview.mp4")


def chosen_frames(info: ClipInfo, part: tuple[Fraction, Fraction] | None) -> Span:
    """The frames that begin within [from, to) seconds, counted from the first frame's start.

    Raises:
        SettingsError: there are none.
    """
    if part is None:
        return 0, info.num_frames
    begin, end = part
    origin = info.times.starts[0]
    inside = [n for n, start in enumerate(info.times.starts) if begin <= start - origin < end]
    if not inside:
        span = float(info.times.span)
        length = duration(span) if span >= 60 else f"{span:.3g} s"
        raise SettingsError(
            f"{info.path} has no frame between {float(begin):g} s and {float(end):g} s; "
            f"it lasts {length}; give another --range"
        )
    return inside[0], inside[-1] + 1


def least_bytes(encoding: Encoding, num_frames: int, pixels: int) -> int:
    """Bytes that frames of so many pixels take, however little is to be seen in them."""
    bits = BITS_PER_PIXEL.get(encoding.encoder, OTHER_BITS_PER_PIXEL)
    return int(num_frames * (FRAME_BYTES + pixels * bits / 8))


def _check_space(job: Job, encoding: Encoding, num_frames: int, cache: Path) -> None:
    """Refuse an output that the disk cannot hold whatever is in it.

    Raises:
        OutputError: says how much is needed and free.
    """
    needed = least_bytes(encoding, num_frames, job.clip.height * job.clip.width)
    for place in (_existing(cache), _existing(job.output.absolute().parent)):
        free = shutil.disk_usage(place).free
        if free < needed:
            raise OutputError(
                f"{place} has {free / 1e6:.1f} MB free, and {job.output.name} needs at least "
                f"{needed / 1e6:.1f} MB there; make room, or choose another "
                + ("--cache" if place == _existing(cache) else "output")
            )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())
