"""Frames of a clip in presentation order, one pass, one frame in memory."""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from av import VideoFrame
from av.container import InputContainer
from av.video.stream import VideoStream

from tsr.core.clip_io.deinterlace import Deinterlacer
from tsr.core.clip_io.folder import list_folder
from tsr.core.clip_io.formats import is_transparent, read_planes
from tsr.core.clip_io.images import decode_image
from tsr.core.clip_io.info import ClipInfo, deinterlaced, probe, separate_fields, transparent
from tsr.core.clip_io.opening import AV_ERRORS, open_clip, reason
from tsr.core.clip_io.pixels import Frame, to_rgb
from tsr.core.errors import ClipError
from tsr.core.volume import Volume


class ClipReader:
    """Iterates a clip's frames as (3, H, W) float32 RGB in [0, 1], exactly `info.num_frames`.

    Frames before a part of a clip are decoded, which its own depend on, but not converted.

    Args:
        path: a video file or a folder of PNG images.
        info: what `probe` found, if it was called already.
        convert: makes a frame of its planes, their layout and the clip's colour; RGB in host memory
            unless a device shall do that. The planes are views, valid as long as they are held.

    Raises:
        ClipError: from `probe`; and while iterating, when a frame is damaged or missing. The
            message says how many frames were readable.
    """

    def __init__(
        self, path: Path, info: ClipInfo | None = None, convert: Callable[..., Any] = to_rgb
    ) -> None:
        self.path = Path(path)
        self.info = info or probe(self.path)
        self.notes: list[str] = []
        """What was met while reading that `info` does not say."""
        self._frames: Iterator[Frame] | None = None
        self._convert = convert

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; an iteration under way ends."""
        frames, self._frames = self._frames, None
        close = getattr(frames, "close", None)
        if close is not None:
            close()

    def __iter__(self) -> Iterator[Frame]:
        """Start over from the first frame."""
        self.close()
        self._frames = self._converted()
        return self._frames

    def _converted(self) -> Iterator[Frame]:
        decoded, colour = self._progressive(), self.info.colour
        if self.path.is_dir():
            # PNG has no limited range, which the first image cannot tell if it is RGB.
            decoded, colour = self._images(), replace(colour, full_range=True)
        first, last = self.info.frames or (0, self.info.num_frames)
        count = 0
        for frame in decoded:
            if count == last and self.info.frames:
                return
            if count == last:
                raise ClipError(
                    f"{self.path} decodes to more frames than its {count} timestamps; "
                    f"rewrite it: ffmpeg -i {self.path.name} -crf 12 rewritten.mp4"
                )
            if count >= first:
                planes, layout = read_planes(frame)
                yield self._convert(planes, layout, colour)
            count += 1
        if count < last:
            if self.info.interlaced and 2 * count == self.info.num_frames:
                raise ClipError(separate_fields(self.path))
            raise ClipError(self._damaged(count, "frames are missing"))

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        stream.thread_type = "AUTO"
        frames = container.decode(stream)
        count = 0
        while True:
            try:
                frame = next(frames, None)
            except AV_ERRORS as error:
                raise ClipError(self._damaged(count, reason(error))) from error
            if frame is None:
                return
            if frame.is_corrupt:
                raise ClipError(self._damaged(count, "a frame is corrupt"))
            self._check(frame, f"frame {count}")
            yield frame
            count += 1

    def _progressive(self) -> Iterator[VideoFrame]:
        """The decoded frames, through a deinterlacer from the first one on that needs it."""
        deinterlacer: Deinterlacer | None = None
        with open_clip(self.path) as (container, stream):
            for number, frame in enumerate(self._decoded(container, stream)):
                flagged = self.info.interlaced or frame.interlaced_frame
                if deinterlacer is None and flagged and self.info.deinterlace:
                    deinterlacer = Deinterlacer(frame, stream)
                    if not self.info.interlaced:
                        self.notes.append(deinterlaced(f"frames from {number} on are"))
                yield from deinterlacer(frame) if deinterlacer else [frame]
        yield from deinterlacer(None) if deinterlacer else []

    def _images(self) -> Iterator[VideoFrame]:
        for file in list_folder(self.path).files:
            frame = decode_image(file)
            self._check(frame, f"image {file.name}")
            yield frame

    def _check(self, frame: VideoFrame, name: str) -> None:
        if (frame.width, frame.height) != (self.info.width, self.info.height):
            raise ClipError(
                f"{self.path}: {name} has {frame.width}×{frame.height} pixels, the first one "
                f"{self.info.width}×{self.info.height}; all frames must have one size"
            )
        if is_transparent(frame):
            raise ClipError(transparent(self.path, name))

    def _damaged(self, readable: int, why: str) -> str:
        return (
            f"{self.path} is damaged ({why}): {readable} of {self.info.num_frames} frames are "
            "readable; copy it again from its source, or keep the readable part: "
            f"ffmpeg -i {self.path.name} -crf 12 repaired.mp4"
        )


def picked(frames: Iterable[Frame], wanted: Collection[int]) -> Iterator[Frame]:
    """Those frames whose number is wanted, in order; nothing is read behind the last one."""
    chosen, last = frozenset(wanted), max(wanted, default=-1)
    for number, frame in enumerate(itertools.islice(frames, last + 1)):
        if number in chosen:
            yield frame


def read_volume(path: Path, max_frames: int | None = None) -> tuple[Volume, ClipInfo]:
    """A whole clip, or its first `max_frames` frames, as a (3, T, H, W) float32 volume.

    The info describes the whole file in either case.

    Raises:
        ClipError: as `ClipReader`.
    """
    with ClipReader(path) as reader:
        info = reader.info
        count = min(info.num_frames, max_frames or info.num_frames)
        volume: Volume = np.empty((3, count, info.height, info.width), np.float32)
        for n, frame in zip(range(count), reader, strict=False):
            volume[:, n] = frame
    return volume, info
