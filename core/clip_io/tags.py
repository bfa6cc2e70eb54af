"""Titles, dates and chapters: carried over where the container has a place for them."""

import contextlib
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.container import OutputContainer
from av.error import FFmpegError

from tsr.core.clip_io.info import ClipInfo
from tsr.core.clip_io.times import FrameTimes

if TYPE_CHECKING:
    from av.container.core import Chapter  # exists in PyAV's stubs only

CONTAINER_KEYS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
"""Metadata that describes the file it was in, not the clip."""


def copy_tags(info: ClipInfo, output: OutputContainer, times: FrameTimes) -> None:
    """Copy metadata, and chapters stretched with the clip, from `info`'s file into `output`.

    Best effort: a file that cannot be opened again, or a container without chapters, is no reason
    to fail a render.
    """
    if not info.path.is_file():
        return
    with contextlib.suppress(FFmpegError, OSError, ValueError):
        with av.open(str(info.path), mode="r", metadata_errors="replace") as source:
            kept = {k: v for k, v in source.metadata.items() if k.lower() not in CONTAINER_KEYS}
            output.metadata.update(kept)
            chapters = source.chapters()
        stretch = times.span / info.times.span
        output.set_chapters([_moved(chapter, info.time_origin, stretch) for chapter in chapters])


def _moved(chapter: "Chapter", origin: Fraction, stretch: Fraction) -> "Chapter":
    time_base = Fraction(chapter["time_base"] or 1)
    moved = chapter.copy()
    moved["start"] = round((chapter["start"] * time_base - origin) * stretch / time_base)
    moved["end"] = round((chapter["end"] * time_base - origin) * stretch / time_base)
    return moved
