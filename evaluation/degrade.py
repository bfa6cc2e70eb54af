"""A fast video made slow: the mean of f consecutive frames, one in f kept.

This is the paper's model of a slow camera (section 1, rect kernel): what it would have recorded
with 1/f of the frame rate. The fast video is then the truth that a result can be scored against.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.core import rect
from tsr.core.console import Progress
from tsr.core.errors import SettingsError
from tsr.core.outputs import named

Frame = NDArray[np.float32]
"""(3, H, W) float32 in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class DegradeReport:
    """What was made of what."""

    output: Path
    factor: int
    exposure: float
    """Part of each group of frames that was averaged."""
    frames_in: int
    """Frames of the truth."""
    frames_out: int
    dropped: int
    """Frames at the truth's end that did not fill a group."""
    fps: str
    """Frames per second of the output, an exact fraction such as 30000/1001."""
    lossless: bool
    notes: tuple[str, ...]
    """What the user should know, one line each."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return {**asdict(self), "output": str(self.output)}


def exposure_weights(factor: int, exposure: float = 1.0) -> NDArray[np.float32]:
    """How much each frame of a group counts: (factor,) float32 with sum 1.

    The shutter opens with the first frame and stays open for `exposure` of the group; a frame that
    it covers in part counts in part.

    Raises:
        SettingsError: factor below 1, or exposure outside (0, 1].
    """
    if factor < 1 or not 0 < exposure <= 1:
        raise SettingsError(
            f"factor {factor} with exposure {exposure}: expected a factor of at least 1 and an "
            "exposure above 0 and at most 1"
        )
    return rect.exposure_weights(factor, exposure)


def degraded(frames: Iterable[Frame], factor: int, exposure: float = 1.0) -> Iterator[Frame]:
    """Average each whole group of `factor` frames; frames that fill no group are left out.

    Args:
        frames: the fast video, (3, H, W) float32 each; one is held at a time.
        factor: frames per group.
        exposure: part of the group during which the shutter is open, in (0, 1].

    Yields:
        (3, H, W) float32 in [0, 1], the weighted mean of each group.
    """
    weights = exposure_weights(factor, exposure)
    total: Frame | None = None
    for number, frame in enumerate(frames):
        place = number % factor
        if place == 0 or total is None:
            total = weights[0] * frame
        elif weights[place] > 0:
            total += weights[place] * frame
        if place == factor - 1:
            # Rounding may pass 1 by the last bit of a float.
            yield np.clip(total, 0, 1)


def default_output(truth: Path, factor: int) -> Path:
    """The name beside the truth: clip.mp4 at factor 8 gives clip_d8.mkv."""
    truth = named(truth)
    name = truth.name if truth.is_dir() else truth.stem
    return truth.with_name(f"{name}_d{factor}.mkv")


def degrade(
    truth: Path,
    output: Path,
    factor: int,
    exposure: float = 1.0,
    *,
    progress: Progress | None = None,
) -> DegradeReport:
    """Degrade a video file, streaming, with exact times.

    An .mkv is stored in FFV1 and a name without suffix as a folder of PNG images, both lossless,
    so that scores measure the method and not an encoder; any other suffix gets its usual encoder.

    Args:
        truth: the fast video, a file or a folder of images.
        output: where the slow video goes; each of its frames is shown for the whole group.
        factor: frames averaged into one.
        exposure: part of the group during which the shutter is open, in (0, 1].
        progress: where to tell how far the work is.

    Raises:
        ClipError: the truth cannot be read.
        SettingsError: `factor`, `exposure`, or fewer frames than one group.
        OutputError: the output cannot be written.
    """
    from tsr.core.clip_io import ClipReader, ClipWriter, choose_encoding, decimated

    exposure_weights(factor, exposure)
    shown = progress or Progress("degrade", quiet=True)
    with ClipReader(truth) as reader:
        info = reader.info
        times = decimated(info.times, factor)
        encoder = "ffv1" if output.suffix.lower() == ".mkv" else None
        encoding = choose_encoding(output, info, encoder=encoder)
        with ClipWriter(output, info, times=times, encoding=encoding) as writer:
            for number, frame in enumerate(degraded(reader, factor, exposure), start=1):
                writer.write(frame)
                shown.show(f"frame {number} of {times.num_frames}")
    dropped = info.num_frames - factor * times.num_frames
    notes = [*info.notes, *reader.notes, *writer.notes]
    if dropped:
        notes.append(f"the last {dropped} of {info.num_frames} frames fill no group of {factor}")
    if not encoding.lossless:
        notes.append(f"{output.name} is compressed with loss; an .mkv or a folder would not be")
    return DegradeReport(
        output=output,
        factor=factor,
        exposure=exposure,
        frames_in=info.num_frames,
        frames_out=times.num_frames,
        dropped=dropped,
        fps=str(times.fps),
        lossless=encoding.lossless,
        notes=tuple(notes),
    )
