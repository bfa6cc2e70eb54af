"""The input's sound in the output: copied packet by packet, or re-encoded where it must be."""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

import io
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import cast

import av
from av import AudioFrame, AudioResampler, Packet
from av.audio.stream import AudioStream
from av.stream import Stream

from tsr.core.clip_io.carrier import (
    Carrier,
    Target,
    can_copy,
    copied,
    inherit,
    layout_of,
)
from tsr.core.clip_io.opening import AV_ERRORS
from tsr.core.clip_io.times import exact

FALLBACK_CODECS = {".webm": "libopus", ".mkv": "flac", ".avi": "pcm_s16le"}
"""Encoder for sound that a container cannot hold as it is; AAC for the others."""
USUAL_RATE = 48_000
"""Samples per second where an encoder does not take the stream's own; the only rate of Opus."""
WITHOUT_TIMES = (".avi",)
"""Containers where sound begins with the file: it is stored as PCM, after silence up to its start,
since neither a late start nor a codec's delay could be told."""


def carry_audio(stream: AudioStream, name: str, target: Target, notes: list[str]) -> Carrier:
    """Add an output stream for `stream`; `notes` receives a line if it is not a plain copy."""
    if target.suffix not in WITHOUT_TIMES and can_copy(stream, target.output.format.name):
        return AudioCopy(stream, name, target)
    return AudioRecoding(stream, name, target, notes)


class AudioCopy:
    """Sound as it is, moved to the output's clock."""

    def __init__(self, stream: AudioStream, name: str, target: Target) -> None:
        self.source: Stream = stream
        self.name = name
        self._origin = target.origin
        self._drop_priming = target.suffix not in (".mp4", ".mov")
        self._made = copied(stream, target)

    def carry(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """The packet itself, unless it lies before the output's start."""
        if packet.dts is None or packet.pts is None:
            return
        shift = round(self._origin / exact(packet.time_base))
        packet.pts -= shift
        packet.dts -= shift
        # Only MP4 can start before zero; elsewhere the muxer would move the video, too.
        if self._drop_priming and packet.pts + (packet.duration or 0) <= 0:
            return
        packet.stream = self._made
        yield packet


class AudioRecoding:
    """Sound in another codec."""

    def __init__(self, stream: AudioStream, name: str, target: Target, notes: list[str]) -> None:
        self.source: Stream = stream
        self.name = name
        self._stream = stream
        self._origin = target.origin
        self._pad_start = target.suffix in WITHOUT_TIMES
        codec = FALLBACK_CODECS.get(target.suffix, "aac")
        layout, rate, lost = _nearest(codec, stream, target.output.format.name)
        made = target.output.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(made, AudioStream)
        inherit(stream, made)
        self._made = made
        self._end: Fraction | None = None
        """Where the sound so far ends, in seconds of the output."""
        self._resampler: AudioResampler | None = None
        notes.append(
            f"{target.suffix} cannot hold this {stream.codec_context.name} {name}; "
            f"it was re-encoded as {codec}{lost}"
        )

    def carry(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Decode, resample, encode."""
        flushing = packet.dts is None and not packet.size
        resampler = self._open_resampler()
        decoded = self._stream.decode(cast("Packet[AudioStream]", packet))
        frames = [ready for frame in decoded for ready in resampler.resample(frame)]
        if flushing:
            frames += resampler.resample(None)
        for frame in frames:
            tick = exact(frame.time_base or Fraction(1, frame.sample_rate))
            if frame.pts is None:  # decoders do not time what is left when they are flushed
                frame.pts, frame.time_base = round((self._end or 0) / tick), tick
            else:
                frame.pts -= round(self._origin / tick)
            if self._pad_start and self._end is None and frame.pts > 0:
                yield from self._encode(_silence(frame))
            self._end = frame.pts * tick + Fraction(frame.samples, frame.sample_rate)
            yield from self._encode(frame)
        if flushing:
            yield from self._encode(None)

    def _encode(self, frame: AudioFrame | None) -> list[Packet[Stream]]:
        return cast("list[Packet[Stream]]", self._made.encode(frame))

    def _open_resampler(self) -> AudioResampler:
        """Made late: an encoder knows its frame size only once the header is written."""
        if self._resampler is None:
            encoder = self._made.codec_context
            self._resampler = AudioResampler(
                format=encoder.format.name,
                layout=encoder.layout.name,
                rate=encoder.sample_rate,
                frame_size=encoder.frame_size or None,
            )
        return self._resampler


def _silence(until: AudioFrame) -> AudioFrame:
    """As many zero samples as lie between time zero and the frame `until`."""
    missing = round((until.pts or 0) * exact(until.time_base or 1) * until.sample_rate)
    frame = AudioFrame(format=until.format.name, layout=until.layout.name, samples=missing)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate, frame.pts, frame.time_base = until.sample_rate, 0, until.time_base
    return frame


def _nearest(codec: str, stream: AudioStream, container_format: str) -> tuple[str, int, str]:
    """The layout and rate nearest to the stream's that an encoder takes, and what that loses."""
    own = layout_of(stream)
    rates = (USUAL_RATE,) if codec == "libopus" else (stream.rate, USUAL_RATE)
    choices = product((own, "stereo"), rates)
    takes = (each for each in choices if _can_encode(codec, *each, container_format))
    layout, rate = next(takes, ("stereo", USUAL_RATE))
    mixed = ", mixed down to stereo" if layout != own else ""
    resampled = f", resampled to {rate // 1000} kHz" if rate < stream.rate else ""
    return layout, rate, mixed + resampled


def _can_encode(codec: str, layout: str, rate: int, container_format: str) -> bool:
    """Whether an encoder opens for this layout of channels and samples per second."""
    try:
        with av.open(io.BytesIO(), "w", format=container_format) as trial:
            trial.add_stream(codec, rate=rate, layout=layout)
            trial.start_encoding()
    except AV_ERRORS:
        return False
    return True
