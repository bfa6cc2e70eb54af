"""Frames are counted and timed by demuxing, since headers lie."""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

from av import Packet
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream
from av.video.stream import VideoStream

from tsr.core.clip_io.opening import reason
from tsr.core.clip_io.times import FrameTimes, exact, times_from_ticks
from tsr.core.errors import ClipError

DECODING_ORDER_FORMATS = ("avi",)
"""Containers without presentation times: frames are shown one after the other as stored."""
HEADER_DURATION_FORMATS = ("mov", "matroska")
"""Containers whose header says how long they are, so that a cut-off copy is noticed."""


def count_frames(
    container: InputContainer, stream: VideoStream, path: Path, rates: Sequence[Fraction]
) -> FrameTimes:
    """The times of a file's frames, in presentation order, by demuxing all of it.

    Args:
        container, stream: freshly opened.
        path: what errors call it.
        rates: frame rates that the container names, most trusted first.

    Raises:
        ClipError: damaged, cut off, empty, or without times.
    """
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
    time_base = exact(stream.time_base or Fraction(1, 90_000))
    if num_untimed or len(set(ticks)) < len(ticks):
        return _times_without_stamps(num_untimed + len(ticks), rates, path)
    if not ticks:
        raise ClipError(f"{path} holds no frames; expected at least one")
    return times_from_ticks(ticks, time_base, shown[-1][1], rates)


def _end(packet: Packet[Stream]) -> Fraction:
    """When a packet's content ends, in seconds on the file's clock."""
    if packet.pts is None or not packet.size or not packet.time_base:
        return Fraction(0)
    return (packet.pts + (packet.duration or 0)) * exact(packet.time_base)


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
