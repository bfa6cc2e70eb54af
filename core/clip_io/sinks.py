"""Where encoded frames go: a video file, or a folder of PNG images."""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import av
from av import CodecContext, Packet, VideoFrame
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from tsr.core.clip_io.audio import AudioTrack, open_audio
from tsr.core.clip_io.colour import FULL_RANGE, RGB_MATRIX
from tsr.core.clip_io.encoding import Encoding
from tsr.core.clip_io.formats import LAYOUTS, new_frame
from tsr.core.clip_io.info import ClipInfo
from tsr.core.clip_io.opening import reason, silence
from tsr.core.clip_io.pixels import Frame, from_rgb
from tsr.core.clip_io.tags import copy_tags
from tsr.core.clip_io.times import Clock, FrameTimes, to_ticks
from tsr.core.cpu import cpu_flags
from tsr.core.errors import OutputError

PACKED = {"ffv1": {"gbrp": "bgr0"}, "png": {"gbrp": "rgb24", "gbrp16le": "rgb48be"}}
"""RGB formats that an encoder takes only packed; the samples are the same."""

CUTREE_WIDTH = 256
"""x265 writes past its buffers when it weighs the blocks of very narrow frames (seen at 48 columns
under valgrind, not at 216), so that is switched off below this width."""


WIDTH_STEP = 128
"""x264's AVX-512 code for its macroblock tree reads past the row unless a frame is a multiple of
this many columns wide: the same frames then give other bytes every time (seen in all of 13 such
widths, in none of them with AVX2)."""


class FrameSink(Protocol):
    """Takes frames one by one; finishes the file when its block ends well."""

    def write(self, frame: Frame) -> None:
        """Encode one (3, H, W) float32 frame."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None: ...


def stored_frame(frame: Frame, info: ClipInfo, encoding: Encoding) -> VideoFrame:
    """A float frame as the encoder takes it, tagged with the colour it was converted by."""
    name = encoding.pixel_format
    layout = LAYOUTS[name]
    stored = new_frame(from_rgb(frame, layout, info.colour), name)
    packed = PACKED.get(encoding.encoder, {}).get(name)
    return stored.reformat(format=packed) if packed else stored


class FolderSink:
    """PNG images frame_0000.png, frame_0001.png, … in a folder."""

    def __init__(self, path: Path, info: ClipInfo, encoding: Encoding, num_frames: int) -> None:
        self._path = path
        self._info = info
        self._encoding = encoding
        self._digits = max(4, len(str(num_frames - 1)))
        self._count = 0
        path.mkdir()

    def write(self, frame: Frame) -> None:
        """Write the next image."""
        image = stored_frame(frame, self._info, self._encoding)
        encoder = CodecContext.create("png", "w")
        assert isinstance(encoder, VideoCodecContext)
        encoder.width, encoder.height = image.width, image.height
        encoder.pix_fmt = image.format.name
        encoder.time_base = Fraction(1, 25)
        packets = [*encoder.encode(image), *encoder.encode(None)]
        name = f"frame_{self._count:0{self._digits}d}.png"
        (self._path / name).write_bytes(b"".join(bytes(packet) for packet in packets))
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Every image is complete already."""


class VideoSink:
    """One video stream, and the source's audio, in a container file.

    Args:
        path: the file, under its temporary name.
        name: what errors call it.
        info: the clip whose colour, geometry and tags the file gets.
        times: when each frame is shown.
        encoding: how frames are stored.
        audio_from: file whose audio is muxed; None for a silent video.
        notes: receives one line for each thing that is changed or lost.
        clock: of the whole video that this file is a piece of; a piece gets no metadata.
    """

    def __init__(
        self,
        path: Path,
        name: Path,
        info: ClipInfo,
        times: FrameTimes,
        encoding: Encoding,
        audio_from: Path | None,
        notes: list[str],
        clock: Clock | None = None,
    ) -> None:
        silence()
        self._name = name
        self._info = info
        self._encoding = encoding
        self._suffix = path.suffix.lower()
        # AVI has no timestamps: its frames start at zero and tick at the frame rate.
        without_stamps = self._suffix == ".avi"
        self._origin = times.starts[0] if without_stamps else Fraction(0)
        self._clock, self._is_piece = clock or Clock.of(times), clock is not None
        self._time_base = 1 / self._clock.fps if without_stamps else self._clock.time_base
        self._ticks = (
            list(range(times.num_frames + 1))
            if without_stamps
            else to_ticks(times, self._time_base)
        )
        self._times = times
        self._count = 0
        self._durations: dict[int, int] = {}
        self._audio: AudioTrack | None = None
        with output_errors(self._name):
            self._container, self._stream = self._start(path, audio_from, notes)

    def _start(
        self, path: Path, audio_from: Path | None, notes: list[str]
    ) -> tuple[OutputContainer, VideoStream]:
        """Open the file and write its header, without the audio if the header fails with it."""
        container, stream = self._open(path)
        if audio_from is not None:
            origin = self._info.time_origin + self._origin
            self._audio = open_audio(audio_from, container, self._suffix, origin, notes)
        try:
            container.start_encoding()
        except (FFmpegError, OSError, ValueError) as error:
            container.close()
            if self._audio is None:
                raise
            self._audio.close()
            self._audio = None
            notes.append(f"the audio was left out ({reason(error)})")
            container, stream = self._open(path)
            container.start_encoding()
        return container, stream

    def _open(self, path: Path) -> tuple[OutputContainer, VideoStream]:
        movie = self._suffix in (".mp4", ".mov")
        # Bit-exact, or Matroska's identifiers would be random and no two files the same.
        options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if movie else {})
        container = av.open(str(path), mode="w", options=options)
        if not self._is_piece:
            copy_tags(self._info, container, self._times)
        return container, self._add_stream(container)

    def _add_stream(self, container: OutputContainer) -> VideoStream:
        stream = container.add_stream(
            self._encoding.codec, rate=self._clock.fps, options=self._encoder_options()
        )
        assert isinstance(stream, VideoStream)
        self._configure(stream)
        return stream

    def _encoder_options(self) -> dict[str, str]:
        options = dict(self._encoding.options)
        if self._encoding.quality is not None:
            options["crf"] = str(self._encoding.quality)
        # Reordered frames with uneven steps lose the last frame's duration in MP4, and AVI
        # cannot tell decoding order from presentation order at all.
        if self._suffix == ".avi" or not self._clock.is_constant:
            if self._encoding.encoder == "h264":
                options["bf"] = "0"
            if self._encoding.encoder == "hevc":
                options["x265-params"] += ":bframes=0"
        uneven = self._info.width % WIDTH_STEP != 0
        if self._encoding.encoder == "h264" and uneven and "avx512f" in cpu_flags():
            options["x264-params"] = "asm=AVX2"
        if self._encoding.encoder == "hevc" and self._info.width < CUTREE_WIDTH:
            options["x265-params"] += ":cutree=0"
        return options

    def _configure(self, stream: VideoStream) -> None:
        info, encoder = self._info, stream.codec_context
        encoder.time_base = self._time_base
        encoder.width, encoder.height = info.width, info.height
        name = self._encoding.pixel_format
        encoder.pix_fmt = PACKED.get(self._encoding.encoder, {}).get(name, name)
        encoder.thread_count = 0
        rgb = LAYOUTS[name].kind == "rgb"
        encoder.colorspace = RGB_MATRIX if rgb else info.colour.matrix
        encoder.color_range = FULL_RANGE if rgb else info.colour.range
        encoder.color_primaries = info.colour.primaries
        encoder.color_trc = info.colour.transfer
        encoder.sample_aspect_ratio = info.sample_aspect_ratio
        self._describe(stream)

    def _describe(self, stream: VideoStream) -> None:
        """What the container says of a stream, whoever encodes it."""
        stream.time_base = self._time_base
        stream.codec_context.framerate = self._clock.fps
        if self._encoding.encoder == "hevc" and self._suffix in (".mp4", ".mov"):
            stream.codec_context.codec_tag = "hvc1"  # the only one that Apple's players accept
        if self._info.display_matrix is not None:
            stream.set_display_matrix(self._info.display_matrix)

    def write(self, frame: Frame) -> None:
        """Encode the next frame, and mux the audio up to its time."""
        stored = stored_frame(frame, self._info, self._encoding)
        encoder = self._stream.codec_context
        stored.colorspace, stored.color_range = encoder.colorspace, encoder.color_range
        stored.color_primaries, stored.color_trc = encoder.color_primaries, encoder.color_trc
        start, end = self._ticks[self._count : self._count + 2]
        stored.pts, stored.duration, stored.time_base = start, end - start, self._time_base
        self._durations[start] = end - start
        with output_errors(self._name):
            self._mux(self._stream.encode(stored))
            if self._audio is not None:
                self._audio.mux_until(self._times.starts[self._count] - self._origin)
        self._count += 1

    def _flush(self) -> None:
        self._mux(self._stream.encode(None))

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            # Some encoders forget durations, and the last one is the file's end.
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as closing:
            if self._audio is not None:
                closing.callback(self._audio.close)
            closing.enter_context(output_errors(self._name))
            closing.callback(self._container.close)
            if error is None:
                self._flush()
                if self._audio is not None:
                    self._audio.mux_until(None)


@contextmanager
def output_errors(name: Path) -> Iterator[None]:
    """FFmpeg's failures while writing, as `OutputError`."""
    try:
        yield
    except (FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"{name} cannot be written ({reason(error)})") from error
