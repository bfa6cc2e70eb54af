"""What the demo shows: videos at a watchable rate, the picture, the wheel's measured speed."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import ClipInfo, ClipReader, ClipWriter, FrameTimes, probe
from tsr.core.volume import Volume
from tsr.evaluation.baselines import upsampled
from tsr.evaluation.demo_scene import FULL_SPEED, DemoScene, demo_view
from tsr.evaluation.picture import COLUMNS, caption_strip, comparison_picture

VIDEOS = {"input": "slow.mp4", "linear": "linear.mp4", "ours": "ours.mp4", "truth": "truth.mp4"}
"""File of each column of the picture."""
SIDE_BY_SIDE = "side_by_side.mp4"
PICTURE = "comparison.png"
MADE = (*VIDEOS.values(), SIDE_BY_SIDE, PICTURE)
"""All files that this module leaves."""

WATCHABLE = Fraction(30)
"""Frames per second of the videos: eight times slower than the truth, all showing the same time."""

Frame = NDArray[np.float32]


def streams(folder: Path, factor: int) -> dict[str, Iterator[Frame]]:
    """Input (each frame repeated), linear, ours and truth, frame by frame at the truth's rate."""
    slow = folder / "slow.mkv"
    return {
        "input": upsampled(ClipReader(slow), factor, "nearest"),
        "linear": upsampled(ClipReader(slow), factor, "linear"),
        "ours": iter(ClipReader(folder / "ours.mkv")),
        "truth": iter(ClipReader(folder / "truth.mkv")),
    }


def write_videos(folder: Path, factor: int) -> None:
    """One video per column, and all of them in one, in slow motion.

    Raises:
        OutputError: a file cannot be written.
    """
    # An ordinary video's pixel format: what is stored of an RGB one, many players do not play.
    info = replace(probe(folder / "truth.mkv"), pixel_format="yuv420p", chroma="420")
    times = FrameTimes.constant(WATCHABLE, info.num_frames)
    captions = {
        name: caption_strip(info.width, *COLUMNS[name], accent=name == "ours") for name in VIDEOS
    }
    tall = captions["input"].shape[1] + info.height
    joint = replace(info, width=2 * info.width, height=2 * tall)
    with ExitStack() as stack:

        def writer(name: str, its: ClipInfo) -> ClipWriter:
            return stack.enter_context(ClipWriter(folder / name, its, times=times))

        writers = {name: writer(file, info) for name, file in VIDEOS.items()}
        together = writer(SIDE_BY_SIDE, joint)
        columns = streams(folder, factor)
        for _ in range(info.num_frames):
            frames = {name: np.clip(next(column), 0, 1) for name, column in columns.items()}
            for name, frame in frames.items():
                writers[name].write(frame)
            together.write(_joined(frames, captions))


def _joined(frames: Mapping[str, Frame], captions: Mapping[str, Frame]) -> Frame:
    """Two by two: input and linear above, ours and truth below, each under its caption."""
    panels = [np.concatenate((captions[name], frame), axis=1) for name, frame in frames.items()]
    rows = [np.concatenate(panels[first : first + 2], axis=2) for first in (0, 2)]
    return np.concatenate(rows, axis=1)


def excerpt(folder: Path, factor: int, part: slice) -> dict[str, Volume]:
    """The input frames `part` of every column: "input" (3, T, H, W), the others (3, T·f, H, W)."""
    fast = slice(part.start * factor, part.stop * factor)
    columns = streams(folder, factor)
    columns["input"] = iter(ClipReader(folder / "slow.mkv"))
    return {
        name: np.stack(list(islice(frames, *_bounds(part if name == "input" else fast))), axis=1)
        for name, frames in columns.items()
    }


def _bounds(part: slice) -> tuple[int, int]:
    return part.start, part.stop


def full_speed_frames(num_frames: int) -> slice:
    """The input frames that lie wholly within the time of full speed."""
    first, last = (share * num_frames for share in FULL_SPEED)
    return slice(int(np.ceil(first)), int(last))


def wheel_speeds(scene: DemoScene, clips: Mapping[str, Volume]) -> dict[str, float]:
    """How the wheel turns in each clip, measured from its pixels.

    Returns:
        Spoke periods per input frame, positive clockwise: the median over the frames.
    """
    speeds = {}
    for name, volume in clips.items():
        rate = 1 if name == "input" else scene.factor
        speeds[name] = round(rate * float(np.median(scene.wheel.measured_speed(volume))), 3)
    return speeds


def write_picture(
    folder: Path, scene: DemoScene, psnr_db: Mapping[str, float], wheel: Mapping[str, float]
) -> None:
    """The picture that explains itself.

    Args:
        psnr_db: per column, of the whole videos. wheel: speed per column.
    """
    info = probe(folder / "slow.mkv")
    part, view = demo_view(info.num_frames, info.height, info.width)
    clips = excerpt(folder, scene.factor, part)
    comparison_picture(
        clips["input"],
        clips["linear"],
        clips["ours"],
        clips["truth"],
        folder / PICTURE,
        view=view,
        subtitle="The wheel turns clockwise. Too fast for the slow camera, it seems to turn back.",
        psnr_db=psnr_db,
        remarks={name: turning(speed) for name, speed in wheel.items()},
    )


def turning(speed: float) -> str:
    """A measured speed in words; ASCII, for the picture."""
    way = "clockwise" if speed > 0 else "backwards"
    return f"wheel {way}, {abs(speed):.2f} spokes/frame"
