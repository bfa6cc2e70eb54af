"""One video stream, and what the source holds beside it, in a container file."""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av import Packet
from av.container import OutputContainer
from av.video.stream import VideoStream

from tsr.core.clip_io.carrier import Target
from tsr.core.clip_io.encoding import WITHOUT_STAMPS, Encoding
from tsr.core.clip_io.info import ClipInfo, probe
from tsr.core.clip_io.opening import AV_ERRORS, address, reason, silence
from tsr.core.clip_io.pixels import Frame, Plane
from tsr.core.clip_io.side_streams import SideStreams, lost, open_side_streams
from tsr.core.clip_io.sinks import stored_frame
from tsr.core.clip_io.tags import Tags, lost_tags, write_tags
from tsr.core.clip_io.times import Clock, FrameTimes, Stretch, to_ticks
from tsr.core.clip_io.video_encoder import configure, describe, encoder_options
from tsr.core.errors import ClipError, OutputError
from tsr.core.pipes import STANDARD, is_pipe

PIPE_FORMATS = {".y4m": "yuv4mpegpipe", ".mkv": "matroska"}
"""FFmpeg's names of what a pipe without a suffix can hold."""
DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.EPIPE, errno.EROFS)
"""Failures of the place that is written to, which no stream can be blamed for."""


class VideoSink:
    """Encodes frames into a file, together with the source's other streams.

    Args:
        path: the file, under its temporary name.
        name: what errors call it.
        info: the clip whose colour and geometry the file gets.
        times: when each frame is shown.
        encoding: how frames are stored.
        tags: metadata and chapters.
        beside: kinds of streams (`side_streams.KINDS`) that are muxed from `info.path`.
        stretch: of the source's time in slow motion.
        notes: receives one line for each thing that is changed or lost.
        clock: of the whole video that this file is a piece of.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        info: ClipInfo,
        times: FrameTimes,
        encoding: Encoding,
        *,
        tags: Tags,
        beside: tuple[str, ...],
        stretch: Stretch,
        notes: list[str],
        clock: Clock | None = None,
    ) -> None:
        silence()
        self._path, self._name = path, name
        self._info, self._encoding, self._times = info, encoding, times
        self._tags, self._stretch, self._notes = tags, stretch, notes
        stamped = encoding.suffix not in WITHOUT_STAMPS
        self._origin = Fraction(0) if stamped else times.starts[0]
        self._clock = clock or Clock.of(times)
        self._time_base = self._clock.time_base if stamped else 1 / self._clock.fps
        self._ticks = (
            to_ticks(times, self._time_base) if stamped else list(range(times.num_frames + 1))
        )
        self._count = 0
        self._durations: dict[int, int] = {}
        self._choked = False
        """Whether the muxer refused a packet that may have been one of the picture."""
        with output_errors(self._name):
            self._start(beside)

    def _start(self, beside: tuple[str, ...]) -> None:
        """Open the file and write its header, without those streams that the header fails with."""
        fewer = [tuple(kind for kind in beside if kind != without) for without in beside]
        attempts = [beside, *(kinds for kinds in fewer if kinds), ()] if beside else [()]
        failure: BaseException | None = None
        for kinds in attempts:
            notes: list[str] = []
            container, stream = self._open()
            sides = self._open_sides(container, kinds, notes)
            try:
                container.start_encoding()
            except AV_ERRORS as error:
                container.close()
                if sides is not None:
                    sides.close()
                failure = failure or error
                continue
            self._container, self._stream, self._sides = container, stream, sides
            if failure is not None:
                without = [kind for kind in beside if kind not in kinds]
                notes.append(f"{lost(without)} ({reason(failure)})")
            self._side_notes = notes
            if sides is not None:
                sides.mux_first()
            return
        assert failure is not None
        raise failure

    def _open(self) -> tuple[OutputContainer, VideoStream]:
        # Bit-exact, or Matroska's identifiers would be random and no two files the same.
        options = {"fflags": "+bitexact"}
        if self._encoding.suffix in (".mp4", ".mov"):
            keys = "+use_metadata_tags" if self._tags.need_mdta else ""
            options["movflags"] = f"+faststart{keys}"
        if self._encoding.suffix == ".y4m":
            options["strict"] = "-1"  # more than 8 bits is a widespread extension
        place = "pipe:1" if self._path == STANDARD else address(self._path)
        kind = PIPE_FORMATS.get(self._encoding.suffix) if is_pipe(self._path) else None
        container = av.open(place, mode="w", format=kind, options=options)
        stream = self._add_stream(container)
        describe(stream, self._encoding, self._info, self._time_base, self._clock.fps)
        write_tags(self._tags, container, stream)
        return container, stream

    def _add_stream(self, container: OutputContainer) -> VideoStream:
        options = encoder_options(self._encoding, self._info, constant_rate=self._clock.is_constant)
        stream = container.add_stream(self._encoding.codec, rate=self._clock.fps, options=options)
        assert isinstance(stream, VideoStream)
        configure(stream, self._encoding, self._info, self._time_base)
        return stream

    def _open_sides(
        self, container: OutputContainer, kinds: tuple[str, ...], notes: list[str]
    ) -> SideStreams | None:
        if not kinds:
            return None
        origin = self._info.time_origin + self._origin
        target = Target(container, self._encoding.suffix, origin, self._stretch)
        return open_side_streams(self._info.path, target, kinds, notes)

    def write(self, frame: Frame | list[Plane]) -> None:
        """Encode the next frame, and mux the other streams up to its time."""
        stored = stored_frame(frame, self._info, self._encoding)
        encoder = self._stream.codec_context
        stored.colorspace, stored.color_range = encoder.colorspace, encoder.color_range
        stored.color_primaries, stored.color_trc = encoder.color_primaries, encoder.color_trc
        start, end = self._ticks[self._count : self._count + 2]
        stored.pts, stored.duration, stored.time_base = start, end - start, self._time_base
        self._durations[start] = end - start
        with output_errors(self._name):
            self._mux(self._stream.encode(stored))
            if self._sides is not None:
                self._sides.mux_until(self._times.starts[self._count] - self._origin)
        self._count += 1

    def _flush(self) -> None:
        self._mux(self._stream.encode(None))

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            # Some encoders forget durations, and the last one is the file's end.
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._put(packet)

    def _put(self, packet: Packet[VideoStream]) -> None:
        try:
            self._container.mux(packet)
        except AV_ERRORS as error:
            self._blame_sides(error)

    def _blame_sides(self, error: BaseException) -> None:
        """Go on without the other streams: the muxer writes their queued packets with ours."""
        if self._sides is None or getattr(error, "errno", None) in DISK_ERRORS:
            raise error
        self._choked = True
        self._sides.end(error)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as closing:
            if self._sides is not None:
                closing.callback(self._sides.close)
            closing.enter_context(output_errors(self._name))
            closing.callback(self._container.close)
            if error is None:
                self._flush()
                if self._sides is not None:
                    self._sides.mux_until(None)
        self._notes += self._side_notes
        if error is None and self._path.is_file():
            self._read_back()

    def _read_back(self) -> None:
        """Say what the finished file does not hold, and raise if that is a frame."""
        suffix = self._encoding.suffix
        self._notes += lost_tags(self._tags, self._path, suffix)
        if self._sides is not None:
            self._notes += self._sides.lost_labels(self._path, suffix)
        if self._choked:
            self._check_complete()

    def _check_complete(self) -> None:
        """Raise `OutputError` unless every frame is in the file."""
        try:
            found = probe(self._path).num_frames
        except ClipError as error:
            raise OutputError(f"{self._name} was not written whole: {error}") from error
        if found != self._times.num_frames:
            raise OutputError(f"{self._name} holds {found} of {self._times.num_frames} frames")


@contextmanager
def output_errors(name: str) -> Iterator[None]:
    """FFmpeg's failures while writing, as `OutputError`."""
    try:
        yield
    except BrokenPipeError as error:
        raise OutputError(f"the program that reads {name} went away") from error
    except AV_ERRORS as error:
        raise OutputError(f"{name} cannot be written ({reason(error)})") from error
