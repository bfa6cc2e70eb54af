"""The output of one shot: its pictures through the ladder, and what must stay put back."""

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tsr.core.clip_io import ClipInfo, FrameTimes, picked
from tsr.core.ladder import ScaleLadder
from tsr.core.tiling import Span
from tsr.pipeline.changes import Frame
from tsr.pipeline.duplicates import Duplicates
from tsr.pipeline.held_time import on_clip_time, pictures_within
from tsr.pipeline.overlays import Mask, keep_overlay
from tsr.runtime.backend import Backend
from tsr.runtime.plan import first_read
from tsr.runtime.streaming import super_resolve


@dataclass(frozen=True, eq=False)
class Content:
    """What a shot holds beside motion.

    Args:
        duplicates: what its frames really show, counted within the shot.
        overlay: the pixels that keep their values, if any.
    """

    duplicates: Duplicates
    overlay: Mask | None = None

    @cached_property
    def still(self) -> frozenset[int]:
        """Frames of a resting scene, in which and behind which nothing moves: shown as they are."""
        if self.duplicates.held:
            return frozenset()
        repeats = {*self.duplicates.repeats, len(self.duplicates.pictures)}
        return frozenset(n for n in repeats if n + 1 in repeats)

    def facts(self) -> dict[str, Any]:
        """What the output depends on."""
        mask = None if self.overlay is None else hashlib.sha256(self.overlay.tobytes()).hexdigest()
        held = {"pictures": self.duplicates.pictures, "starts": self.duplicates.starts}
        return {
            "overlay": mask,
            "still": sorted(self.still),
            "held": held if self.duplicates.held else None,
        }


def pictures_of(content: Content, part: Span) -> Span:
    """The pictures [first, last) that are shown within the shot's frames `part`."""
    return pictures_within(content.duplicates, part) if content.duplicates.held else part


def as_pictures(shot: ClipInfo, content: Content) -> ClipInfo:
    """The shot as what the ladder sees: as many frames as it has pictures."""
    count = len(content.duplicates.pictures)
    if count == shot.num_frames:
        return shot
    return replace(shot, times=FrameTimes.constant(shot.fps, count))


def shot_frames(
    shot: ClipInfo,
    content: Content,
    ladder: ScaleLadder,
    backend: Backend[Any],
    read: Callable[[ClipInfo], Iterator[Frame]],
    *,
    factor: int,
    segment: int,
    part: Span,
) -> Iterator[Frame]:
    """The output frames of the shot's input frames `part`, the same whatever the part.

    Args:
        ladder: what is made of each picture; its factor is `factor` unless pictures are held.
        read: gives the frames of a ClipInfo.
        factor: output frames per input frame. segment: pictures computed at a time.
    """
    numbers = content.duplicates.pictures
    wanted = pictures_of(content, part)
    first = first_read(ladder, wanted, len(numbers))
    source = shot.part(numbers[first], shot.num_frames)
    inputs = picked(read(source), [n - numbers[first] for n in numbers[first:]])
    seen: deque[Frame] = deque()
    if restores := content.overlay is not None or bool(content.still):
        inputs = _remembering(inputs, seen)
    made = super_resolve(inputs, as_pictures(shot, content), ladder, backend, segment, wanted)
    if restores:
        made = _restored(made, seen, wanted[0] - first, content, ladder.factor, wanted)
    if content.duplicates.held:
        made = on_clip_time(made, content.duplicates, part, ladder.factor, factor)
    yield from made


def _remembering(frames: Iterator[Frame], seen: deque[Frame]) -> Iterator[Frame]:
    for frame in frames:
        seen.append(frame)
        yield frame


def _restored(
    made: Iterator[Frame],
    seen: deque[Frame],
    ahead: int,
    content: Content,
    factor: int,
    pictures: Span,
) -> Iterator[Frame]:
    """What is made of each picture, with what must not be touched taken from the picture itself.

    Args:
        seen: the pictures, as far as they were read; `ahead` of them come before the first wanted.
    """
    for picture in range(*pictures):
        group = itertools.chain([next(made)], itertools.islice(made, factor - 1))
        while ahead:  # read by now, since a frame was made
            seen.popleft()
            ahead -= 1
        frame = seen.popleft()
        if picture in content.still:
            yield from (frame for _ in group)
        elif content.overlay is not None:
            yield from keep_overlay(group, frame, content.overlay)
        else:
            yield from group
