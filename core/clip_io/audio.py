"""The input's sound in the output: copied packet by packet, or re-encoded where it must be.

A finished render is never lost because of its sound: whatever goes wrong here becomes a note.
"""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias, cast

import av
from av import AudioFrame, AudioResampler, Packet
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Stream

from tsr.core.clip_io.opening import reason, silence

FALLBACK_CODECS = {".webm": "libopus", ".mkv": "flac", ".avi": "pcm_s16le"}
"""Encoder for sound that a container cannot hold as it is; AAC for the others."""
WITHOUT_TIMES = (".avi",)
"""Containers where sound begins with the file: it is stored as PCM, after silence up to its start,
since neither a late start nor a codec's delay could be told."""
AUDIO_ERRORS = (FFmpegError, OSError, ValueError, TypeError, NotImplementedError)
"""What PyAV raises on streams that it or the muxer cannot handle."""

_Timed: TypeAlias = "tuple[Fraction, Packet[Stream]]"


class AudioTrack:
    """All audio streams of a source, muxed into an output as its video advances.

    Args:
        source: the opened input; closed by `close`.
        output: an output whose header is not written yet.
        suffix: the output's suffix.
        origin: seconds on the source's clock that are zero in the output.
        notes: receives one line for each thing that is changed or lost.
    """

    def __init__(
        self,
        source: InputContainer,
        output: OutputContainer,
        suffix: str,
        origin: Fraction,
        notes: list[str],
    ) -> None:
        self._source = source
        self._output = output
        self._origin = origin
        self._notes = notes
        self._pad_start = suffix in WITHOUT_TIMES
        self._drop_priming = suffix not in (".mp4", ".mov")
        self._targets: dict[int, tuple[AudioStream, AudioStream, bool]] = {}
        for stream in source.streams.audio:
            copied = suffix not in WITHOUT_TIMES and _can_copy(stream, output.format.name)
            target = self._copied(stream) if copied else self._encoded(stream, suffix)
            self._targets[stream.index] = (stream, target, copied)
        self._begun: set[int] = set()
        self._resamplers: dict[int, AudioResampler] = {}
        self._packets = self._produce()
        self._waiting: _Timed | None = None

    def _copied(self, stream: AudioStream) -> AudioStream:
        target = self._output.add_stream_from_template(stream)
        target.metadata.update(stream.metadata)
        return target

    def _encoded(self, stream: AudioStream, suffix: str) -> AudioStream:
        codec = FALLBACK_CODECS.get(suffix, "aac")
        rate = 48_000 if codec == "libopus" else stream.rate
        target = self._output.add_stream(codec, rate=rate, layout=stream.layout.name)
        assert isinstance(target, AudioStream)
        name = stream.codec_context.name
        self._notes.append(f"{suffix} cannot hold this {name} audio; it was re-encoded as {codec}")
        return target

    def mux_until(self, seconds: Fraction | None) -> None:
        """Mux the packets that start before `seconds` of output time; all when None."""
        try:
            while True:
                timed = self._waiting or next(self._packets, None)
                if timed is None:
                    return
                self._waiting = timed
                if seconds is not None and timed[0] >= seconds:
                    return
                self._waiting = None
                self._output.mux(timed[1])
        except AUDIO_ERRORS as error:
            self._notes.append(f"audio was cut short ({reason(error)})")
            self._packets = iter(())

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _produce(self) -> Iterator[_Timed]:
        streams = [stream for stream, _, _ in self._targets.values()]
        for packet in self._source.demux(*streams):
            # Not `packet.stream_index`: the packet that flushes a decoder has none.
            stream, target, copied = self._targets[packet.stream.index]
            if not copied:
                yield from self._reencode(cast("Packet[AudioStream]", packet), stream, target)
            elif packet.dts is not None and packet.pts is not None:
                shift = round(self._origin / Fraction(packet.time_base))
                packet.pts -= shift
                packet.dts -= shift
                # Only MP4 can start before zero; elsewhere the muxer would move the video, too.
                if self._drop_priming and packet.pts + (packet.duration or 0) <= 0:
                    continue
                packet.stream = target
                yield packet.pts * Fraction(packet.time_base), packet

    def _reencode(
        self, packet: Packet[AudioStream], stream: AudioStream, target: AudioStream
    ) -> Iterator[_Timed]:
        flushing = packet.dts is None and not packet.size
        resampler = self._resampler(stream, target)
        frames = [ready for frame in stream.decode(packet) for ready in resampler.resample(frame)]
        if flushing:
            frames += resampler.resample(None)
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= round(self._origin / Fraction(frame.time_base or 1))
                if self._pad_start and stream.index not in self._begun and frame.pts > 0:
                    yield from _timed(target.encode(_silence(frame)))
            self._begun.add(stream.index)
            yield from _timed(target.encode(frame))
        if flushing:
            yield from _timed(target.encode(None))

    def _resampler(self, stream: AudioStream, target: AudioStream) -> AudioResampler:
        """Made late: an encoder knows its frame size only once the header is written."""
        if stream.index not in self._resamplers:
            encoder = target.codec_context
            self._resamplers[stream.index] = AudioResampler(
                format=encoder.format.name,
                layout=encoder.layout.name,
                rate=encoder.sample_rate,
                frame_size=encoder.frame_size or None,
            )
        return self._resamplers[stream.index]


def _silence(until: AudioFrame) -> AudioFrame:
    """As many zero samples as lie between time zero and the frame `until`."""
    missing = round((until.pts or 0) * Fraction(until.time_base or 1) * until.sample_rate)
    frame = AudioFrame(format=until.format.name, layout=until.layout.name, samples=missing)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate, frame.pts, frame.time_base = until.sample_rate, 0, until.time_base
    return frame


def _timed(packets: Iterable[Packet[AudioStream]]) -> Iterator[_Timed]:
    for packet in packets:
        yield (packet.pts or 0) * Fraction(packet.time_base), cast("Packet[Stream]", packet)


def open_audio(
    path: Path, output: OutputContainer, suffix: str, origin: Fraction, notes: list[str]
) -> AudioTrack | None:
    """The audio of `path`, ready to be muxed; None, and a note, if that is impossible."""
    silence()
    try:
        source = av.open(str(path), mode="r", metadata_errors="replace")
        try:
            return AudioTrack(source, output, suffix, origin, notes)
        except BaseException:
            source.close()
            raise
    except AUDIO_ERRORS as error:
        notes.append(f"the audio of {path.name} was left out ({reason(error)})")
        return None


def _can_copy(stream: AudioStream, container_format: str) -> bool:
    """Whether a container takes this stream as it is, found by writing a header to memory."""
    try:
        with av.open(io.BytesIO(), "w", format=container_format) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except AUDIO_ERRORS:
        return False
    return True
