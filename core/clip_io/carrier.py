"""One stream beside the picture on its way from the input into the output."""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
from av import Packet
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Stream

from tsr.core.clip_io.opening import AV_ERRORS
from tsr.core.clip_io.times import Stretch, exact

FILE_KEYS = {
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "duration",
    "vendor_id",
    "timecode",  # it counts the frames of the input
    "alpha_mode",
}
"""Metadata that describes the file it was in, not the clip; so do Matroska's statistics."""
USUAL_LAYOUTS = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")
"""FFmpeg's names of one channel, two channels, …, where a container only counts them."""


@dataclass(frozen=True)
class Target:
    """The file that streams are carried into.

    Args:
        output: opened, its header not written yet.
        suffix: of the container.
        origin: seconds on the source's clock that are zero in the output.
        stretch: of the source's time in slow motion.
    """

    output: OutputContainer
    suffix: str
    origin: Fraction
    stretch: Stretch


class Carrier(Protocol):
    """Makes an input stream's packets into packets of its output stream."""

    source: Stream
    name: str
    """What notes call it."""

    def carry(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """What is to be muxed for one packet; the one that flushes decoders has no size."""
        ...


def copied(stream: Stream, target: Target) -> Stream:
    """An output stream for `stream`'s packets as they are."""
    made = _add_copy(stream, target.output)
    inherit(stream, made)
    return made


def _add_copy(stream: Stream, output: OutputContainer) -> Stream:
    made = output.add_stream_from_template(stream)
    # MP4 takes PCM only with its channels named, and finds that out when it ends.
    if isinstance(made, AudioStream) and made.layout.name != layout_of(made):
        made.codec_context.layout = layout_of(made)
    return made


def layout_of(stream: AudioStream) -> str:
    """FFmpeg's name for the channels of a stream; the usual one if they are only counted."""
    name, count = stream.layout.name, stream.layout.nb_channels
    counted = name == f"{count} channels" and count <= len(USUAL_LAYOUTS)
    return USUAL_LAYOUTS[count - 1] if counted else name


def inherit(stream: Stream, made: Stream) -> None:
    """Give an output stream the language, title and purpose of the input's."""
    made.metadata.update(described(stream.metadata))
    if "name" in stream.metadata:  # what MP4 calls a track's title, when read
        made.metadata.setdefault("title", made.metadata.pop("name"))
    made.disposition = stream.disposition


def described(metadata: dict[str, str]) -> dict[str, str]:
    """The entries that tell of the content rather than of the file it was in."""
    return {
        key: value
        for key, value in metadata.items()
        if not key.lower().startswith(("_statistics", "bps", "number_of_", "duration-"))
        and key.lower() not in FILE_KEYS
    }


def can_copy(stream: Stream, container_format: str) -> bool:
    """Whether a container takes this stream as it is, found by writing a header to memory."""
    # MP4 describes its streams at the end unless told so; AC-3 it cannot describe before a packet.
    pcm = stream.codec_context.name.startswith("pcm_")
    options = {"movflags": "empty_moov"} if pcm and container_format in ("mp4", "mov") else {}
    try:
        with av.open(io.BytesIO(), "w", format=container_format, options=options) as trial:
            _add_copy(stream, trial)
            trial.start_encoding()
    except AV_ERRORS:
        return False
    return True


def seconds(packet: Packet[Stream]) -> Fraction:
    """When a packet starts."""
    return (packet.pts or 0) * exact(packet.time_base or 1)
