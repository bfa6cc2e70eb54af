"""Opening videos: FFmpeg's errors become one helpful line, and nothing is printed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.logging
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from tsr.core.errors import ClipError

AV_ERRORS = (FFmpegError, OSError, ValueError)
"""What PyAV raises on files, streams and settings that it or FFmpeg cannot handle; a plain
ValueError on formats and codecs that it does not know."""


def silence() -> None:
    """Keep FFmpeg's messages off standard error; what matters reaches the user as an error."""
    av.logging.set_libav_level(av.logging.PANIC)
    # SVT-AV1 prints past FFmpeg's log; 0 is its level for fatal errors only.
    os.environ.setdefault("SVT_LOG", "0")


def address(path: Path) -> str:
    """A file's path as FFmpeg takes it: to it, `2024-05-01T10:20.mp4` begins with a protocol."""
    return str(path.absolute())


def open_to_read(path: Path) -> InputContainer:
    """Open a file whatever bytes its metadata holds.

    Those that are no UTF-8 become surrogates, as in file names, and are written as they were. PyAV
    before 19 wants to be told what to do with them; there they are replaced.

    Raises:
        one of `AV_ERRORS`.
    """
    young = int(av.__version__.split(".")[0]) >= 19
    options: dict[str, Any] = {} if young else {"metadata_errors": "replace"}
    container: InputContainer = av.open(address(path), mode="r", **options)
    return container


@contextlib.contextmanager
def open_clip(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file and pick its first moving-picture stream.

    Raises:
        ClipError: missing, unreadable, no video, or damaged beyond opening.
    """
    if not path.exists():
        raise ClipError(f"{path} does not exist")
    if path.stat().st_size == 0:
        raise ClipError(f"{path} is empty (0 bytes)")
    silence()
    try:
        container = open_to_read(path)
    except PermissionError as error:
        raise ClipError(f"{path} cannot be read: permission denied") from error
    except AV_ERRORS as error:
        raise ClipError(
            f"{path} is not a video that can be read, or it is damaged or incomplete "
            f"({reason(error)}); check that it plays, or copy it again from its source"
        ) from error
    with container:
        yield container, _video_stream(container, path)


def first_video(container: InputContainer) -> VideoStream | None:
    """The first video stream that is no cover picture."""
    cover = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if not s.disposition & cover), None)


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    stream = first_video(container)
    if stream is None:
        found = "audio only" if container.streams.audio else "no video stream"
        raise ClipError(f"{path} holds {found}; expected a video")
    if stream.codec_context is None:
        raise ClipError(f"{path}: this build has no decoder for its video codec")
    return stream


def reason(error: BaseException) -> str:
    """FFmpeg's own words for `error`, without file names and numbers."""
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".")
