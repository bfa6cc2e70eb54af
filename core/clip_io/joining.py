"""Pieces of a video, each encoded on its own, into one file: packets are copied, never re-encoded.

So a long render is kept piece by piece, and is complete whatever happens to the last of it.
"""

from __future__ import annotations  # PyAV's Packet is generic for the type checker only

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from av import Packet
from av.container import OutputContainer
from av.video.stream import VideoStream

from tsr.core.clip_io.encoding import Encoding
from tsr.core.clip_io.info import ClipInfo
from tsr.core.clip_io.opening import open_to_read
from tsr.core.clip_io.tags import read_tags
from tsr.core.clip_io.times import FrameTimes, stretch
from tsr.core.clip_io.video_sink import VideoSink, output_errors
from tsr.core.clip_io.writer import kept_beside
from tsr.core.errors import OutputError
from tsr.core.outputs import completed


def piece_suffix(encoding: Encoding, output: Path) -> str:
    """The suffix of the pieces of an output: a container that knows the order of frames exactly.

    Matroska stores whole milliseconds, so it holds only pieces whose order is that of the file.
    """
    if encoding.is_folder or output.suffix.lower() == ".avi":
        return output.suffix
    return {"ffv1": ".mkv", "prores": ".mov"}.get(encoding.encoder, ".mp4")


def join_pieces(
    pieces: Sequence[Path],
    output: Path,
    info: ClipInfo,
    *,
    times: FrameTimes,
    encoding: Encoding,
    streams: bool = False,
) -> list[str]:
    """Join what `ClipWriter` wrote with the clock of `times`; the pieces stay.

    Args:
        pieces: files, or folders of images, in order; together exactly the frames of `times`.
        info, times, encoding, streams: of the whole video, as for `ClipWriter`.

    Returns:
        What the output does not keep. Whatever does not go with the picture is left out.

    Raises:
        OutputError: the output cannot be written, or a piece is damaged.
    """
    notes = list(encoding.notes)
    stretched = stretch(info, times)
    beside = kept_beside(info, encoding, stretched, notes) if streams else ()
    with completed(output) as temporary:
        if encoding.is_folder:
            _join_folders(pieces, temporary, times.num_frames)
            return notes
        order = _Order(pieces, output, times.num_frames)
        with JoinedSink(
            temporary,
            str(output),
            info,
            times,
            encoding,
            tags=read_tags(info, stretched),
            beside=beside,
            stretch=stretched,
            notes=notes,
            order=order,
        ) as sink:
            for piece in order.pieces:
                sink.append(piece)
    return notes


class _Order:
    """In which order the pieces store their frames.

    Args:
        output: what errors call the whole. num_frames: that the pieces must hold together.
    """

    def __init__(self, pieces: Sequence[Path], output: Path, num_frames: int) -> None:
        self.pieces = pieces
        self.delay = 0
        """How many frames a packet may come before its turn, at most."""
        count = 0
        for piece in pieces:
            with output_errors(str(piece)):
                ranks = self.ranks(piece)
            self.delay = max([self.delay, *(n - rank for n, rank in enumerate(ranks))])
            count += len(ranks)
        if count != num_frames:
            raise OutputError(
                f"the pieces of {output} hold {count} of {num_frames} frames; remove the cache "
                "of this video (tsr doctor says where it is) and run again"
            )

    @staticmethod
    def ranks(piece: Path) -> list[int]:
        """Of each packet in turn, which frame of the piece it is."""
        stamps = [packet.pts for packet in _packets(piece)]
        if None in stamps:  # AVI: stored as shown
            return list(range(len(stamps)))
        ranks = [0] * len(stamps)
        for rank, n in enumerate(sorted(range(len(stamps)), key=lambda n: stamps[n] or 0)):
            ranks[n] = rank
        return ranks


class JoinedSink(VideoSink):
    """A video stream copied from pieces, and the source's audio, in a container file.

    Args:
        order: of the pieces to come. The others are `VideoSink`'s.
    """

    def __init__(self, *given: Any, order: _Order, **named: Any) -> None:
        self._order = order
        super().__init__(*given, **named)

    def __enter__(self) -> JoinedSink:
        return self

    def _add_stream(self, container: OutputContainer) -> VideoStream:
        with open_to_read(self._order.pieces[0]) as piece:
            # Opaque: nothing will be encoded, and for AV1 the decoder is no encoder at all.
            stream = container.add_stream_from_template(piece.streams.video[0], opaque=True)
            if self._encoding.encoder == "prores":  # Matroska tells its flavour by this alone
                stream.codec_context.codec_tag = piece.streams.video[0].codec_context.codec_tag
        return stream

    def append(self, piece: Path) -> None:
        """Copy the next piece's packets, at the times of the whole."""
        first, delay, ticks = self._count, self._order.delay, self._ticks
        with output_errors(self._name):
            ranks = self._order.ranks(piece)
            for rank, packet in zip(ranks, _packets(piece), strict=True):
                frame, decoded = first + rank, self._count - delay
                packet.time_base = self._time_base
                packet.pts, packet.duration = ticks[frame], ticks[frame + 1] - ticks[frame]
                # Decoding runs ahead of showing by `delay` frames, also before the first one.
                before = min(decoded, 0) * (ticks[1] - ticks[0])
                packet.dts = ticks[max(decoded, 0)] + before
                packet.stream = self._stream
                self._put(packet)
                if self._sides is not None:
                    self._sides.mux_until(self._times.starts[max(decoded, 0)] - self._origin)
                self._count += 1

    def _flush(self) -> None:
        """Copied packets wait for nothing."""


def _packets(piece: Path) -> Iterator[Packet[VideoStream]]:
    with open_to_read(piece) as container:
        for packet in container.demux(container.streams.video[0]):
            if packet.size:
                yield packet


def _join_folders(pieces: Sequence[Path], folder: Path, num_frames: int) -> None:
    """Copy images under the numbers that they have in the whole."""
    digits = max(4, len(str(num_frames - 1)))
    folder.mkdir()
    images = (image for piece in pieces for image in sorted(piece.iterdir()))
    for n, image in enumerate(images):
        shutil.copyfile(image, folder / f"frame_{n:0{digits}d}.png")
