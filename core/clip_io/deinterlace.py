"""Interlaced frames made progressive, one for one, by FFmpeg's bwdif.

Each frame keeps the lines of the field that was shown first and gets new ones in between, so N
frames stay N and their times stay true. Frames that are not flagged pass through unchanged.
"""

from collections.abc import Iterator

from av import VideoFrame
from av.error import BlockingIOError, EOFError
from av.filter import Graph
from av.video.stream import VideoStream

TOP_FIRST = (2, 5)
"""FFmpeg's field orders of a stream that shows the top field first; with 3 and 4 it is the bottom
field, 0 is unknown, 1 progressive."""


def is_interlaced(frame: VideoFrame, stream: VideoStream) -> bool:
    """Whether the frame, or the file as a whole, says that its lines belong to two moments."""
    return bool(frame.interlaced_frame) or stream.codec_context.field_order > 1


class Deinterlacer:
    """A filter for the frames of one clip.

    Args:
        first: the first frame that is to be filtered.
        stream: its stream, whose word counts where frames say nothing themselves.
    """

    def __init__(self, first: VideoFrame, stream: VideoStream) -> None:
        flagged = first.interlaced_frame
        top_first = stream.codec_context.field_order in TOP_FIRST
        parity = "auto" if flagged else "tff" if top_first else "bff"
        which = "interlaced" if flagged else "all"
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=first.width,
            height=first.height,
            format=first.format,
            time_base=first.time_base or stream.time_base,
        )
        bwdif = self._graph.add("bwdif", f"mode=send_frame:parity={parity}:deint={which}")
        self._graph.link_nodes(source, bwdif, self._graph.add("buffersink")).configure()

    def __call__(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """Frames that are ready once `frame` is known; all that are left for None."""
        self._graph.vpush(frame)
        while True:
            try:
                yield self._graph.vpull()
            except (BlockingIOError, EOFError):
                return
