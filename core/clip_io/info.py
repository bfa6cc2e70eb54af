"""What a clip is, found without decoding more than its first frame."""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypedDict, cast

from av import Packet, VideoFrame
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Stream
from av.video.stream import VideoStream

from tsr.core.clip_io.colour import FULL_RANGE, Colour, resolve_colour
from tsr.core.clip_io.folder import FolderListing, decode_image, list_folder
from tsr.core.clip_io.formats import layout_of
from tsr.core.clip_io.opening import open_clip, reason
from tsr.core.clip_io.times import FrameTimes, times_from_ticks
from tsr.core.errors import ClipError, SettingsError
from tsr.core.tiling import Span

MAX_PIXELS = 2**27
"""Largest frame that is opened, four times 8K: a header beyond it is taken as damaged."""
DEFAULT_FOLDER_FPS = Fraction(30)
"""Frames per second of an image folder when none is given."""
SHARED_CLOCK_FORMATS = ("mpegts", "mpeg")
"""Containers whose clock starts anywhere; their times are counted from the file's own start."""
DECODING_ORDER_FORMATS = ("avi",)
"""Containers without presentation times: frames are shown one after the other as stored."""
HEADER_DURATION_FORMATS = ("mov", "matroska")
"""Containers whose header says how long they are, so that a cut-off copy is noticed."""


@dataclass(frozen=True, kw_only=True)
class ClipInfo:
    """A clip's size, exact frame times, colour and what else its output has to keep."""

    path: Path
    """The file or folder."""
    width: int
    """Columns of the stored frame, before `display_matrix` turns it."""
    height: int
    """Rows of the stored frame."""
    times: FrameTimes
    """Exact presentation times, one per frame."""
    colour: Colour
    """Matrix, range, primaries and transfer: as tagged, and as used."""
    pixel_format: str
    """FFmpeg's name of the stored pixel format."""
    bit_depth: int
    """Bits per sample."""
    chroma: str
    """"420", "422", "444", "rgb" or "grey"."""
    display_matrix: tuple[int, ...] | None = None
    """FFmpeg's nine numbers that turn or flip the frame for display, copied to the output."""
    rotation: int = 0
    """Degrees counter-clockwise by which players turn the frame."""
    sample_aspect_ratio: Fraction = Fraction(1)
    """Width of one pixel over its height."""
    has_audio: bool = False
    """Whether the file has at least one audio stream."""
    time_origin: Fraction = Fraction(0)
    """Seconds on the file's own clock that count as zero in `times`."""
    notes: tuple[str, ...] = ()
    """What was assumed and the user should know, one line each."""
    frames: Span | None = None
    """Which of the file's frames these are, [first, last); None for all of them."""

    @property
    def num_frames(self) -> int:
        """Frames in the file, counted, not taken from its header."""
        return self.times.num_frames

    @property
    def fps(self) -> Fraction:
        """Exact frames per second; the mean rate when it varies."""
        return self.times.fps

    def part(self, first: int, last: int) -> ClipInfo:
        """Frames [first, last) of these as a clip of its own, which readers keep to."""
        at = self.frames[0] if self.frames else 0
        return replace(self, times=self.times.part(first, last), frames=(at + first, at + last))

    @property
    def grey(self) -> bool:
        """Whether the file stores luma only."""
        return self.chroma == "grey"


def clip_info(clip: Path | ClipInfo) -> ClipInfo:
    """What a clip is that is given by its path, or by its info: then also a part of a file."""
    return clip if isinstance(clip, ClipInfo) else probe(clip)


def probe(path: Path, *, fps: Fraction | None = None) -> ClipInfo:
    """Describe a video file or a folder of PNG images.

    A video is demuxed once (no decoding beyond the first frame), so that frames are counted and
    their timestamps are the ones in the file.

    Args:
        fps: rate of an image folder; `DEFAULT_FOLDER_FPS` when None. Refused for a video.

    Raises:
        ClipError: missing, foreign, damaged, truncated, interlaced, empty or oversized input.
        SettingsError: `fps` given for a video.
    """
    path = Path(path)
    if path.is_dir():
        return _probe_folder(list_folder(path), fps)
    if fps is not None:
        raise SettingsError(f"{path} is a video with its own rate; fps is for image folders only")
    with open_clip(path) as (container, stream):
        frame = _first_frame(container, stream, path)
        rates = [Fraction(rate) for rate in (stream.base_rate, stream.average_rate) if rate]
        ratio = stream.sample_aspect_ratio
    # Decoding has consumed packets; count them from a fresh start instead of seeking.
    with open_clip(path) as (container, stream):
        origin = _time_origin(container)
        times = _count(container, stream, path, rates)
        return ClipInfo(
            path=path,
            times=FrameTimes(tuple(start - origin for start in times.starts), times.end - origin),
            sample_aspect_ratio=Fraction(ratio) if ratio else Fraction(1),
            display_matrix=_display_matrix(frame),
            rotation=frame.rotation,
            has_audio=bool(container.streams.audio),
            time_origin=origin,
            **_picture(frame),
        )


def _probe_folder(listing: FolderListing, fps: Fraction | None) -> ClipInfo:
    frame = decode_image(listing.files[0])
    notes: tuple[str, ...] = ()
    if fps is None:
        fps = DEFAULT_FOLDER_FPS
        notes = (f"{listing.path} has no rate of its own; taken as {fps} frames per second",)
    times = FrameTimes.constant(fps, len(listing.files))
    return ClipInfo(path=listing.path, times=times, notes=notes, **_picture(frame))


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise ClipError(f"{path} claims frames of {width}×{height}; its header is damaged")
    try:
        frame = next(container.decode(stream), None)
    except (FFmpegError, OSError, ValueError) as error:
        raise ClipError(
            f"{path}: not even the first frame can be decoded ({reason(error)}); the file is "
            "damaged, or its codec is not supported"
        ) from error
    if frame is None:
        raise ClipError(f"{path} holds no frames; expected at least one")
    if frame.interlaced_frame or stream.codec_context.field_order > 1:
        raise ClipError(interlaced(path))
    return frame


def interlaced(path: Path) -> str:
    """The message that refuses interlaced video."""
    return (
        f"{path} is interlaced; deinterlace it first, "
        f"for instance: ffmpeg -i {path.name} -vf bwdif -crf 12 progressive.mp4"
    )


def _time_origin(container: InputContainer) -> Fraction:
    if container.format.name not in SHARED_CLOCK_FORMATS or container.start_time is None:
        return Fraction(0)
    return Fraction(container.start_time, 1_000_000)


def _count(
    container: InputContainer, stream: VideoStream, path: Path, rates: Sequence[Fraction]
) -> FrameTimes:
    """Demux the whole file: the times of its frames, in presentation order."""
    shown: list[tuple[int, int]] = []  # (pts, duration) in ticks
    num_packets = num_untimed = 0
    last_end = Fraction(0)
    try:
        for packet in container.demux():
            last_end = max(last_end, _end(packet))
            if packet.stream_index != stream.index or not packet.size:
                continue
            num_packets += 1
            if packet.is_discard:
                continue  # cut off by an edit list: decoded, never shown
            stamp = packet.dts if container.format.name in DECODING_ORDER_FORMATS else packet.pts
            if stamp is None:
                num_untimed += 1
            else:
                shown.append((stamp, packet.duration or 0))
    except (FFmpegError, OSError) as error:
        raise ClipError(_cut_off(path, num_packets, None, reason(error))) from error
    _check_complete(container, stream, path, num_packets, last_end)
    shown.sort()
    ticks = [pts for pts, _ in shown]
    time_base = Fraction(stream.time_base or Fraction(1, 90_000))
    if num_untimed or len(set(ticks)) < len(ticks):
        return _times_without_stamps(num_untimed + len(ticks), rates, path)
    if not ticks:
        raise ClipError(f"{path} holds no frames; expected at least one")
    return times_from_ticks(ticks, time_base, shown[-1][1], rates)


def _end(packet: Packet[Stream]) -> Fraction:
    """When a packet's content ends, in seconds on the file's clock."""
    if packet.pts is None or not packet.size or not packet.time_base:
        return Fraction(0)
    return (packet.pts + (packet.duration or 0)) * Fraction(packet.time_base)


def _check_complete(
    container: InputContainer, stream: VideoStream, path: Path, num_packets: int, end: Fraction
) -> None:
    """Raise `ClipError` when the header promises more than the file holds."""
    # FFmpeg's index of an MP4 leaves out what an edit list trims; the header's count does not.
    expected = min(stream.frames, len(stream.index_entries) or stream.frames)
    if expected > num_packets:
        raise ClipError(_cut_off(path, num_packets, expected, "the file ends early"))
    # In whole microseconds, FFmpeg's unit for a container's duration.
    promised = Fraction(container.duration or 0, 1_000_000)
    named = any(name in container.format.name for name in HEADER_DURATION_FORMATS)
    if named and promised - end > max(Fraction(1), promised / 20):
        raise ClipError(
            _cut_off(path, num_packets, None, f"{float(end):.1f} s of {float(promised):.1f} s")
        )


def _cut_off(path: Path, readable: int, promised: int | None, why: str) -> str:
    of = f" of {promised}" if promised else ""
    return (
        f"{path} is damaged or incomplete ({why}): {readable}{of} frames are readable; copy it "
        f"again, or keep the readable part: ffmpeg -i {path.name} -crf 12 repaired.mp4"
    )


def _times_without_stamps(num_frames: int, rates: Iterable[Fraction], path: Path) -> FrameTimes:
    """Times of a stream whose frames carry no, or repeated, timestamps."""
    for rate in rates:
        return FrameTimes.constant(rate, num_frames)
    raise ClipError(
        f"{path} has neither usable timestamps nor a frame rate; set one while copying: "
        f"ffmpeg -r 30 -i {path.name} -c copy timed.mp4"
    )


class _Picture(TypedDict):
    width: int
    height: int
    colour: Colour
    pixel_format: str
    bit_depth: int
    chroma: str


def _picture(frame: VideoFrame) -> _Picture:
    """What a decoded frame itself says."""
    layout = layout_of(frame.format)
    colour = resolve_colour(
        matrix=int(frame.colorspace),
        range=FULL_RANGE if frame.format.name.startswith("yuvj") else int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        height=frame.height,
        rgb=layout.kind == "rgb",
        grey=layout.kind == "grey",
    )
    return _Picture(
        width=frame.width,
        height=frame.height,
        colour=colour,
        pixel_format=frame.format.name,
        bit_depth=layout.depth,
        chroma=layout.chroma,
    )


def _display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    container = cast(SideDataContainer, frame.side_data)
    for n in range(len(container)):
        if container[n].type is SideDataType.DISPLAYMATRIX:
            return struct.unpack("=9i", bytes(container[n]))
    return None
