"""A few seconds first: the liveliest of a video, beside what plain interpolation makes of them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import (
    ClipInfo,
    ClipReader,
    ClipWriter,
    Clock,
    FrameTimes,
    choose_encoding,
)
from tsr.core.console import check_installed
from tsr.core.outputs import check_output
from tsr.core.tiling import Span
from tsr.pipeline.cache import VideoCache
from tsr.pipeline.job import MIN_FRAMES, Job, preview_path
from tsr.pipeline.shot_networks import networks
from tsr.pipeline.survey import survey
from tsr.pipeline.told import Told

SECONDS = Fraction(2)
"""Of the input that are shown."""

MINUTES = 3.0
"""Of training at most: less than a whole video is worth, enough to see what there is to gain."""

WATCHABLE = Fraction(30)
"""Frames per second of the preview; so it shows every frame, in slow motion."""

OURS = ("Ours", "learned from these seconds alone")
"""Caption of the right half."""

Frame = NDArray[np.float32]


def preview(job: Job, kept: VideoCache, told: Told) -> Path:
    """Train on the liveliest seconds for a few minutes, and write them side by side with linear
    interpolation.

    Raises:
        TsrError: as `tsr.pipeline.one_shot.make`.
    """
    check_installed("--preview", "all", {"PIL": "pillow"})
    output = preview_path(job.output)
    check_output(output, inputs=(job.clip.path,), overwrite=job.options.overwrite)
    told.stage("look", "for the liveliest seconds")
    first, last = liveliest_part(job.clip.part(*job.retimed))
    first, last = first + job.retimed[0], last + job.retimed[0]
    told.done(f"frames {first} to {last - 1}")
    minutes = min(MINUTES, job.options.max_minutes or MINUTES)
    clip = job.clip.part(first, last)
    short = replace(
        job,
        clip=clip,
        options=replace(job.options, part=None, max_minutes=minutes),
        retimed=(0, clip.num_frames),
    )
    found = survey(clip, kept, told, cut=False)
    (made,) = networks(short, found, {short.retimed}, kept, told).values()
    told.stage("render")
    with closing(made.maker.frames(clip, job.options.factor)) as ours:
        _write(output, clip, job.options.factor, ours, told)
    told.done(f"{output}")
    return output


def liveliest_part(clip: ClipInfo) -> Span:
    """The frames [first, last) of about `SECONDS` in which most changes."""
    length = min(clip.num_frames, max(MIN_FRAMES, round(SECONDS * clip.fps)))
    changes = [0.0]
    with ClipReader(clip.path, clip) as reader:
        before: Frame | None = None
        for frame in reader:
            small = frame[:, ::8, ::8].copy()
            if before is not None:
                changes.append(float(np.abs(small - before).mean()))
            before = small
    sums = np.concatenate([[0.0], np.cumsum(changes)])
    first = int(np.argmax(sums[length:] - sums[:-length]))
    return first, first + length


def _write(output: Path, clip: ClipInfo, factor: int, ours: Iterator[Frame], told: Told) -> None:
    """Both side by side, each under its caption, turned as players turn them."""
    from tsr.evaluation.baselines import upsampled
    from tsr.evaluation.picture import COLUMNS, caption_strip

    quarter_turns = clip.rotation // 90 % 4
    shape, ratio = (clip.height, clip.width), clip.sample_aspect_ratio
    if quarter_turns % 2:
        shape, ratio = shape[::-1], 1 / ratio
    height, width = shape
    strips = [
        caption_strip(width, *COLUMNS["linear"]),
        caption_strip(width, *OURS, accent=True),
    ]
    num_frames = clip.num_frames * factor
    joint = replace(
        clip,
        height=height + strips[0].shape[1],
        width=2 * width,
        display_matrix=None,
        rotation=0,
        sample_aspect_ratio=ratio,
    )
    times = FrameTimes.constant(WATCHABLE, num_frames)
    encoding = choose_encoding(output, replace(joint, times=times))
    # With a clock a piece of a film: without the title and the chapters of the whole.
    clock = Clock.of(times)
    with (
        ClipReader(clip.path, clip) as reader,
        ClipWriter(output, joint, times=times, encoding=encoding, clock=clock) as writer,
    ):
        linear = upsampled(iter(reader), factor, "linear")
        for n, pair in enumerate(zip(linear, ours, strict=True)):
            panels = [
                np.concatenate(
                    (strip, np.rot90(np.clip(frame, 0, 1), quarter_turns, axes=(1, 2))), axis=1
                )
                for strip, frame in zip(strips, pair, strict=True)
            ]
            writer.write(np.ascontiguousarray(np.concatenate(panels, axis=2), np.float32))
            told.show(f"{n + 1}/{num_frames} frames", share=(n + 1) / num_frames)
