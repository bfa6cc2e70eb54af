"""The input's subtitles in the output: copied, or text converted to what the container holds."""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

from collections.abc import Iterator
from fractions import Fraction

from av import Packet
from av.stream import Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream

from tsr.core.clip_io.carrier import Carrier, Target, can_copy, copied, inherit
from tsr.core.clip_io.times import exact

TEXT_CODECS = {".mp4": "mov_text", ".mov": "mov_text", ".mkv": "subrip", ".webm": "webvtt"}
"""Encoder for subtitles of text that a container cannot hold as they are."""
MILLISECOND = Fraction(1, 1000)


def carry_subtitles(
    stream: SubtitleStream, name: str, target: Target, notes: list[str]
) -> Carrier | None:
    """Add an output stream for `stream`; None, and a note, if the container holds none of it."""
    suffix, codec = target.suffix, stream.codec_context.name
    if can_copy(stream, target.output.format.name):
        return SubtitleCopy(stream, name, target)
    if suffix in TEXT_CODECS and stream.codec_context.codec.text_sub:
        notes.append(f"{name} ({codec}) stored as {TEXT_CODECS[suffix]}, its text and plain styles")
        return SubtitleConversion(stream, name, target)
    notes.append(f"{suffix} cannot hold {name} ({codec}); left out, an .mkv would keep them")
    return None


def placed(packet: Packet[Stream], target: Target) -> bool:
    """Move a packet to the output's clock; False if it lies before the output's start."""
    if packet.pts is None or not packet.size:
        return False
    tick = exact(packet.time_base)
    start = packet.pts * tick - target.origin
    end = target.stretch.moved(start + (packet.duration or 0) * tick)
    start = target.stretch.moved(start)
    if end < 0 or (start < 0 and start == end):
        return False
    start = max(start, Fraction(0))
    packet.pts = packet.dts = round(start / tick)
    packet.duration = round((end - start) / tick)
    return True


class SubtitleCopy:
    """Subtitles as they are, at the output's times."""

    def __init__(self, stream: SubtitleStream, name: str, target: Target) -> None:
        self.source: Stream = stream
        self.name, self._target = name, target
        self._made = copied(stream, target)

    def carry(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """The packet itself."""
        if placed(packet, self._target):
            packet.stream = self._made
            yield packet


class SubtitleConversion:
    """Subtitles of text in another text format."""

    def __init__(self, stream: SubtitleStream, name: str, target: Target) -> None:
        self.source: Stream = stream
        self.name, self._target = name, target
        self._stream = stream
        self._made = target.output.add_stream(TEXT_CODECS[target.suffix])
        inherit(stream, self._made)
        encoder = self._made.codec_context
        assert isinstance(encoder, SubtitleCodecContext)
        self._encoder = encoder
        stream.codec_context.open()
        # All text passes through ASS, whose header names the styles that its lines refer to.
        encoder.subtitle_header = stream.codec_context.subtitle_header
        encoder.time_base = MILLISECOND

    def carry(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """One packet of text; none for the gaps that MP4 fills with empty ones."""
        if not packet.size:
            return
        decoded = self._stream.decode2(packet)
        if decoded is None or not len(decoded) or not placed(packet, self._target):
            return
        encoded = self._encoder.encode_subtitle(decoded)
        encoded.pts = encoded.dts = packet.pts
        encoded.duration, encoded.time_base = packet.duration, packet.time_base
        encoded.stream = self._made
        yield encoded
