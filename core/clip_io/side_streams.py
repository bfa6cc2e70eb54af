"""Sound, subtitles and attachments of the input in the output, while its video is written.

A finished render is never lost because of them: whatever goes wrong becomes a note.
"""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from av import Packet
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from tsr.core.clip_io.attachments import add_attachments
from tsr.core.clip_io.audio import carry_audio
from tsr.core.clip_io.carrier import Carrier, Target, seconds
from tsr.core.clip_io.opening import AV_ERRORS, open_to_read, reason, silence
from tsr.core.clip_io.subtitles import carry_subtitles

KINDS = ("audio", "subtitles", "attachments")
"""What can be carried, by the names that notes use."""

Timed = tuple[Carrier, "Packet[Stream]"]


class SideStreams:
    """Streams of one source, muxed into an output as its video advances.

    Args:
        source: the opened input; closed by `close`.
        target: the output, its header not written yet.
        kinds: which of `KINDS` are wanted.
        notes: receives one line for each thing that is changed or lost.
    """

    def __init__(
        self, source: InputContainer, target: Target, kinds: tuple[str, ...], notes: list[str]
    ) -> None:
        self._source = source
        self._output = target.output
        self._notes = notes
        self._first = add_attachments(source, target, notes) if "attachments" in kinds else []
        self._carriers: dict[int, Carrier] = {}
        for kind in ("audio", "subtitles"):
            if kind in kinds:
                self._add(kind, target)
        self._told = [(c.name, _labels(c.source)) for c in self._carriers.values()]
        self._packets = self._produce()
        self._waiting: Timed | None = None

    def _add(self, kind: str, target: Target) -> None:
        streams = [*getattr(self._source.streams, kind)]
        for number, stream in enumerate(streams, 1):
            name = kind if len(streams) == 1 else f"{kind} {number}"
            try:
                carrier = _carrier(stream, name, target, self._notes)
            except AV_ERRORS as error:
                self._notes.append(f"{name} was left out ({reason(error)})")
                continue
            if carrier is not None:
                self._carriers[stream.index] = carrier

    def mux_first(self) -> None:
        """Mux what comes before all frames: cover pictures."""
        try:
            for packet in self._first:
                self._output.mux(packet)
        except AV_ERRORS as error:
            self._notes.append(f"the cover picture was left out ({reason(error)})")

    def mux_until(self, time: Fraction | None) -> None:
        """Mux the packets that start before `time` seconds of the output; all when None."""
        while timed := self._waiting or next(self._packets, None):
            self._waiting = timed
            carrier, packet = timed
            if time is not None and seconds(packet) >= time:
                return
            self._waiting = None
            if carrier.source.index in self._carriers:
                try:
                    self._output.mux(packet)
                except AV_ERRORS as error:
                    self._end(carrier, error)

    def end(self, error: BaseException) -> None:
        """Mux no more of any stream, since the muxer choked on one."""
        for carrier in [*self._carriers.values()]:
            self._end(carrier, error)
        self._waiting = None

    def _end(self, carrier: Carrier, error: BaseException) -> None:
        del self._carriers[carrier.source.index]
        self._notes.append(f"{carrier.name} was cut short ({reason(error)})")

    def lost_labels(self, path: Path, suffix: str) -> list[str]:
        """Notes on languages and purposes that the finished file does not tell, by reading it."""
        try:
            with open_to_read(path) as written:
                streams = [*written.streams.audio, *written.streams.subtitles]
                found = [_labels(stream) for stream in streams]
        except AV_ERRORS:
            return []
        notes = []
        for (name, told), kept in zip(self._told, found, strict=False):
            if lost := ", ".join(label for label in told if label not in kept):
                notes.append(f"{suffix} does not tell that {name} is {lost}")
        return notes

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _produce(self) -> Iterator[Timed]:
        if not self._carriers:
            return
        try:
            for packet in self._source.demux(*(c.source for c in self._carriers.values())):
                # Not `packet.stream_index`: the packet that flushes a decoder has none.
                carrier = self._carriers.get(packet.stream.index)
                if carrier is None:
                    continue
                try:
                    yield from ((carrier, ready) for ready in carrier.carry(packet))
                except AV_ERRORS as error:
                    self._end(carrier, error)
        except AV_ERRORS as error:
            self.end(error)


def _labels(stream: Stream) -> list[str]:
    """Language and purposes (forced, for the deaf, a comment, …) of a stream."""
    language = stream.metadata.get("language", "und")
    # Whether a player begins with a stream is often for the container to say.
    purposes = [each.name or "" for each in stream.disposition if each.name != "default"]
    return [*([language] if language != "und" else []), *purposes]


def _carrier(stream: Stream, name: str, target: Target, notes: list[str]) -> Carrier | None:
    if stream.codec_context is None:
        raise ValueError("this build knows nothing of its codec")
    if isinstance(stream, AudioStream):
        return carry_audio(stream, name, target, notes)
    assert isinstance(stream, SubtitleStream)
    return carry_subtitles(stream, name, target, notes)


def lost(kinds: Sequence[str], where: str = "") -> str:
    """The beginning of a note on kinds of streams that are not in the output."""
    were = "was" if [*kinds] == ["audio"] else "were"
    return f"the {' and '.join(kinds)}{where} {were} left out"


def open_side_streams(
    path: Path, target: Target, kinds: tuple[str, ...], notes: list[str]
) -> SideStreams | None:
    """The streams of `path`, ready to be muxed; None, and a note, if that is impossible."""
    silence()
    try:
        source = open_to_read(path)
        try:
            return SideStreams(source, target, kinds, notes)
        except BaseException:
            source.close()
            raise
    except AV_ERRORS as error:
        notes.append(f"{lost(kinds, f' of {path.name}')} ({reason(error)})")
        return None
