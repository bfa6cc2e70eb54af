"""Frames are counted and timed by demuxing, since headers lie."""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby, pairwise
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
VP8_SHOWN = 0x10
"""Bit of a VP8 packet's first byte that tells whether its picture is shown (RFC 6386, 9.1)."""
HEADER_DURATION_FORMATS = ("mov", "matroska")
"""Containers whose header says how long they are, so that a cut-off copy is noticed."""


def count_frames(
    container: InputContainer,
    stream: VideoStream,
    path: Path,
    rates: Sequence[Fraction],
    origin: Fraction,
    first: int | None,
) -> tuple[FrameTimes, tuple[str, ...]]:
    """The times of a file's frames, in presentation order, by demuxing all of it.

    Frames without a time of their own share the time that there is between their neighbours. Where
    a clip was cut without encoding it anew, frames refer to ones before the cut: they are left out.

    Args:
        container, stream: freshly opened.
        path: what errors call it.
        rates: frame rates that the container names, most trusted first, but for streams without
            timestamps, where the last one counts.
        origin: when a stream without timestamps starts, in seconds.
        first: timestamp of the first frame that can be decoded; None when it has none.

    Returns:
        The times on the file's clock, and what was assumed, one line each.

    Raises:
        ClipError: damaged, cut off, empty, or without times.
    """
    shown: list[tuple[int | None, int]] = []  # (pts, duration) in ticks, as decoded
    num_packets = num_before = 0
    if any(name in container.format.name for name in ("avi", "mov")):
        first = None  # AVI's times are those of decoding; MP4 says itself what a cut hides
    last_end = Fraction(0)
    try:
        for packet in container.demux():
            last_end = max(last_end, _end(packet))
            if packet.stream_index != stream.index or not packet.size:
                continue
            num_packets += 1
            if packet.is_discard:
                continue  # cut off by an edit list: decoded, never shown
            if stream.codec_context.name == "vp8" and not memoryview(packet)[0] & VP8_SHOWN:
                continue  # a picture that others refer to
            stamp = _stamp(packet, container.format.name)
            if first is not None and stamp is not None and stamp < first:
                num_before += 1
            else:
                shown.append((stamp, packet.duration or 0))
    except (FFmpegError, OSError) as error:
        raise ClipError(_cut_off(path, num_packets, None, reason(error))) from error
    _check_complete(container, stream, path, num_packets, last_end)
    if not shown:
        raise ClipError(f"{path} holds no frames; expected at least one")
    time_base = exact(stream.time_base or Fraction(1, 90_000))
    times, notes = _times(shown, time_base, path, rates, origin)
    if num_before:
        cut = (
            "the clip begins between key frames, as if cut without encoding it anew; left out: "
            f"{num_before} of {num_before + len(shown)} frames, which cannot be decoded"
        )
        notes = (cut, *notes)
    return times, notes


def _stamp(packet: Packet[Stream], container_format: str) -> int | None:
    """When a packet's frame is shown, in ticks; None if the file does not say."""
    if container_format in DECODING_ORDER_FORMATS:
        return packet.dts
    if packet.pts is None and "matroska" in container_format:
        return -1  # so FFmpeg reads times before zero
    return packet.pts


def _times(
    shown: Sequence[tuple[int | None, int]],
    time_base: Fraction,
    path: Path,
    rates: Sequence[Fraction],
    origin: Fraction,
) -> tuple[FrameTimes, tuple[str, ...]]:
    """Times of frames by their timestamps and durations in ticks, given as they are decoded."""
    known = sorted((pts, duration) for pts, duration in shown if pts is not None)
    num_distinct = len({pts for pts, _ in known})
    if num_distinct == len(shown):
        return times_from_ticks([pts for pts, _ in known], time_base, known[-1][1], rates), ()
    if num_distinct > 1:
        times = times_from_ticks(_spread(shown), time_base, known[-1][1], rates)
        if times.is_constant:  # they were where they belong, in a clock too coarse to tell
            return times, ()
        if 2 * num_distinct > len(shown):
            return times, (
                f"{len(shown) - num_distinct} of {len(shown)} frames had no timestamp of their "
                "own and were spread between their neighbours",
            )
    if not rates:
        raise ClipError(
            f"{path} has neither usable timestamps nor a frame rate; set one while copying: "
            f"ffmpeg -r 30 -i {path.name} -c copy timed.mp4"
        )
    # FFmpeg's other rate counts the fields of raw H.264, whose frames nothing times.
    rate = rates[-1]
    start = known[0][0] * time_base if known else origin
    note = f"the video has no usable timestamps; taken as {rate} frames per second"
    return FrameTimes.constant(rate, len(shown), start), (note,)


def _spread(shown: Sequence[tuple[int | None, int]]) -> list[Fraction]:
    """Ticks that increase: frames at one tick, or at none after it, share the time to the next."""
    ticks: list[int] = []
    last = min(pts for pts, _ in shown if pts is not None)
    for pts, _ in shown:
        last = last if pts is None else pts
        ticks.append(last)
    ticks.sort()
    groups = [(Fraction(tick), len(list(group))) for tick, group in groupby(ticks)]
    end = groups[-1][0] + Fraction(ticks[-1] - ticks[0], len(ticks) - 1) * groups[-1][1]
    return [
        tick + (after - tick) * Fraction(n, count)
        for (tick, count), (after, _) in pairwise([*groups, (end, 0)])
        for n in range(count)
    ]


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
