"""Fonts and other attached files, and cover pictures."""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

from collections.abc import Iterator
from typing import cast

import av
from av import Packet
from av.container import InputContainer
from av.stream import AttachmentStream, Stream
from av.video.stream import VideoStream

from tsr.core.clip_io.carrier import Target, copied
from tsr.core.clip_io.opening import AV_ERRORS, reason

MIME_TYPES = {"mjpeg": "image/jpeg", "png": "image/png", "bmp": "image/bmp", "gif": "image/gif"}
"""Of cover pictures, by codec."""


def attached_files(source: InputContainer) -> list[AttachmentStream]:
    """The attached files that are no pictures, which FFmpeg shows as video streams."""
    return [stream for stream in source.streams if isinstance(stream, AttachmentStream)]


def covers(source: InputContainer) -> list[VideoStream]:
    """The cover pictures."""
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in source.streams.video if stream.disposition & cover]


def add_attachments(
    source: InputContainer, target: Target, notes: list[str]
) -> list[Packet[Stream]]:
    """Add `source`'s attachments; returns what is to be muxed first once the header is written."""
    first: list[Packet[Stream]] = []
    streams: list[AttachmentStream | VideoStream] = [*attached_files(source), *covers(source)]
    for stream in streams:
        name = stream.metadata.get("filename") or f"attachment {stream.index}"
        try:
            first += _add(stream, source, name, target, notes)
        except AV_ERRORS as error:
            notes.append(f"{name} was left out ({reason(error)})")
    return first


def _add(
    stream: AttachmentStream | VideoStream,
    source: InputContainer,
    name: str,
    target: Target,
    notes: list[str],
) -> Iterator[Packet[Stream]]:
    if target.suffix == ".mkv":
        if isinstance(stream, AttachmentStream):
            mime, data = stream.mimetype, stream.data
        else:
            mime, data = MIME_TYPES.get(stream.codec_context.name), bytes(_picture(stream, source))
        target.output.add_attachment(name, mime or "application/octet-stream", data)
    elif target.suffix == ".mp4" and isinstance(stream, VideoStream):
        packet = _picture(stream, source)
        packet.stream = copied(stream, target)
        packet.pts = packet.dts = 0
        yield packet
    else:
        notes.append(f"{target.suffix} cannot hold the attachment {name}; left out")


def _picture(stream: VideoStream, source: InputContainer) -> Packet[Stream]:
    """A cover's one packet. FFmpeg hands it out before all others."""
    for packet in source.demux(stream):
        if packet.size:
            return cast("Packet[Stream]", packet)
    raise ValueError("the picture is empty")
