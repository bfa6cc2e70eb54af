"""Titles, dates and chapters: carried over where the container has a place for them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from tsr.core.clip_io.carrier import described
from tsr.core.clip_io.info import ClipInfo
from tsr.core.clip_io.opening import AV_ERRORS, first_video, open_to_read
from tsr.core.clip_io.times import Stretch, exact

if TYPE_CHECKING:
    from av.container.core import Chapter  # exists in PyAV's stubs only

QUICKTIME_PREFIX = "com."
"""Phones write where and with what they filmed under keys such as com.apple.quicktime.model."""


@dataclass(frozen=True)
class Tags:
    """What a file says about itself."""

    metadata: dict[str, str] = field(default_factory=dict)
    """Of the file: title, artist, place, ….."""
    picture: dict[str, str] = field(default_factory=dict)
    """Of its video stream: language, title, …."""
    chapters: tuple[Chapter, ...] = ()
    """At the output's times."""

    @property
    def need_mdta(self) -> bool:
        """Whether MP4 holds the keys only in QuickTime's newer list of keys and values."""
        return any(key.startswith(QUICKTIME_PREFIX) for key in self.metadata)


def read_tags(info: ClipInfo, stretch: Stretch) -> Tags:
    """The tags of `info`'s file, chapters moved as slow motion moves them.

    Best effort: a file that cannot be opened again is no reason to fail a render.
    """
    if not info.path.is_file():
        return Tags()
    try:
        with open_to_read(info.path) as source:
            stream = first_video(source)
            return Tags(
                described(source.metadata),
                described(stream.metadata) if stream else {},
                tuple(_moved(each, info.time_origin, stretch) for each in source.chapters()),
            )
    except AV_ERRORS:
        return Tags()


def write_tags(tags: Tags, output: OutputContainer, stream: VideoStream) -> None:
    """Put tags into an output whose header is not written yet."""
    output.metadata.update(tags.metadata)
    stream.metadata.update(tags.picture)
    with contextlib.suppress(FFmpegError, ValueError):  # a container without chapters
        output.set_chapters([*tags.chapters])


def lost_tags(tags: Tags, path: Path, suffix: str) -> list[str]:
    """Notes on what a finished file does not hold of `tags`, found by reading it back."""
    try:
        with open_to_read(path) as written:
            found = {key.lower() for key in written.metadata}
            num_chapters = len(written.chapters())
    except AV_ERRORS:
        return []
    lost = sorted(key for key in tags.metadata if key.lower() not in found)
    notes = []
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        notes.append(f"{suffix} does not keep the metadata {', '.join(lost[:5])}{more}")
    if num_chapters < len(tags.chapters):
        notes.append(f"{suffix} keeps {num_chapters} of the {len(tags.chapters)} chapters")
    return notes


def _moved(chapter: Chapter, origin: Fraction, stretch: Stretch) -> Chapter:
    time_base = exact(chapter["time_base"] or 1)
    moved = chapter.copy()
    for end in ("start", "end"):
        moved[end] = round(stretch.moved(chapter[end] * time_base - origin) / time_base)
    return moved
