"""THE STORY of inference: frames → pyramid → for each segment the ladder's steps → frames."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import ClipInfo, ClipWriter, choose_encoding, probe, retimed
from tsr.core.clip_io.pixels import Frame, Plane
from tsr.core.console import duration, percent
from tsr.core.errors import ClipError, SettingsError
from tsr.core.ladder import SHORT_SIDE_MIN, START_SCALES, ScaleLadder
from tsr.core.model_card import ModelCard
from tsr.core.outputs import check_output, is_folder, named
from tsr.core.tiling import Span
from tsr.core.volume import padded_size
from tsr.runtime.open_backend import open_backend
from tsr.runtime.overlap import Behind, ahead
from tsr.runtime.plan import plan_segments
from tsr.runtime.streaming import fetched, groups, reader_for

DECODED_AHEAD = 2
"""Input frames that are decoded while the network computes. On a GPU they are a segment's: it takes
them, and gives its results, in bursts between long network passes."""

MAX_SEGMENT = 16
"""Input frames per segment at most: beyond, the frames computed twice are too few to matter."""


@dataclass
class RunProgress:
    """How far a run is.

    Args:
        frames: output frames in all. work: voxels the network is to make in all.
        written: frames written. worked: voxels made; the better measure of time, since frames
            come out in bursts. before: frames that an earlier run left.
    """

    frames: int
    work: int
    written: int = 0
    worked: int = 0
    before: int = 0

    def made(self, voxels: int) -> None:
        """Count a piece of network work."""
        # A tile that was halved for lack of memory is computed twice.
        self.worked = min(self.worked + voxels, self.work)

    @property
    def share(self) -> float:
        """Of the work that is done; of the frames where there is none for the network."""
        return self.worked / self.work if self.work else self.written / self.frames

    def left(self, seconds: float) -> float | None:
        """Seconds to go, `seconds` after the start; None before anything was done."""
        return seconds * (1 - self.share) / self.share if self.share else None

    def line(self, seconds: float) -> str:
        """For people, `seconds` after the start."""
        told = f"{percent(self.share)}, {self.written}/{self.frames} frames written"
        left = self.left(seconds)
        if left is None:
            return told
        rate = (self.frames - self.before) * self.share / max(seconds, 1e-9)
        return f"{told}, {rate:.2g} frames/s, {duration(left)} left"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run delivered.

    Args:
        output: the file or folder. frames: output frames. fps: their rate.
        seconds: wall time in all. stages: seconds by stage, which overlap: decoding and encoding
            go on beside the network.
        backend: what computed. ladder: the steps taken. notes: what the output does not keep.
    """

    output: Path
    frames: int
    fps: Fraction
    seconds: float
    stages: dict[str, float]
    backend: str
    ladder: str
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {**asdict(self), "output": str(self.output), "fps": str(self.fps)}


def run(
    model: Path,
    clip: Path,
    output: Path | None = None,
    *,
    factor: int | None = None,
    start: Fraction | None = None,
    exposure: float | None = None,
    slow_motion: bool = False,
    encoder: str | None = None,
    quality: int | None = None,
    deinterlace: bool = True,
    device: str = "auto",
    cpu_engine: str = "auto",
    tile: tuple[int, int, int] | None = None,
    segment: int | None = None,
    overwrite: bool = False,
    report: Callable[[RunProgress], None] = lambda progress: None,
) -> RunResult:
    """Raise the frame rate of `clip` by the model and write it to `output`.

    Args:
        model: see `open_backend`.
        output: the file or folder; beside the clip and named after the factor if None.
        factor, start, exposure: the ladder; the model's own if None.
        slow_motion: keep the input's rate and stretch time instead.
        encoder, quality: see `choose_encoding`. deinterlace: see `probe`.
        device: `auto`, `cpu` or `cuda`; cpu_engine: `auto`, `onnxruntime` or `openvino`; see
            `open_backend`.
        tile, segment: network output per call (frames, rows, columns) and input frames per
            segment; they bound the memory and never change the result.
        report: called after each piece of network work and each frame written.

    Raises:
        TsrError: the model, the video or the output do not allow it.
    """
    started = time.perf_counter()
    if output is not None:
        check_output(output, inputs=(clip, model), overwrite=overwrite)
    backend, card = open_backend(model, device, tile, cpu_engine)
    info = probe(clip, deinterlace=deinterlace)
    ladder = choose_ladder(card, info, factor, start, exposure)
    if output is None:
        output = default_output(clip, ladder.factor)
        check_output(output, overwrite=overwrite)
    times = retimed(info, ladder.factor, slow_motion=slow_motion)
    encoding = choose_encoding(output, info, encoder=encoder, quality=quality)
    stages = backend.seconds
    most = backend.segment_voxels
    segment = segment or segment_size(ladder, info.height, info.width, most)
    progress = RunProgress(times.num_frames, network_work(ladder, info, segment))

    def worked(voxels: int) -> None:
        progress.made(voxels)
        report(progress)

    backend.worked = worked
    writer = ClipWriter(output, info, times=times, encoding=encoding, streams=True)

    def write(frame: Frame | list[Plane]) -> None:
        before = time.perf_counter()
        writer.write(frame)
        stages["encode"] += time.perf_counter() - before

    burst = segment if backend.lag else 1
    with (
        reader_for(backend, info) as reader,
        writer,
        # Closed before the reader, which cannot be while a thread decodes.
        closing(ahead(_timed(iter(reader), stages, "decode"), max(DECODED_AHEAD, burst))) as frames,
    ):
        made = groups(frames, info, ladder, backend, segment)
        with Behind(write, ladder.factor * burst) as encode:
            for frame in fetched(made, info, backend, encoding):
                encode(frame)
                progress.written = encode.done
                report(progress)
        progress.written = encode.done
        report(progress)
        before = time.perf_counter()
    stages["encode"] += time.perf_counter() - before
    return RunResult(
        output=output,
        frames=progress.written,
        fps=times.fps,
        seconds=time.perf_counter() - started,
        stages=dict(stages),
        backend=backend.name,
        ladder=str(ladder),
        notes=[
            *factor_notes(card, ladder),
            *calibration_notes(card, info, backend.name),
            *backend.notes,
            *info.notes,
            *reader.notes,
            *writer.notes,
        ],
    )


def default_output(clip: Path, factor: int) -> Path:
    """The name beside the clip: clip.mp4 at factor 8 gives clip_x8.mp4."""
    clip = named(clip)
    return clip.with_name(f"{clip.name if is_folder(clip) else clip.stem}_x{factor}.mp4")


def factor_notes(card: ModelCard, ladder: ScaleLadder) -> list[str]:
    """What a user should know who runs a model at a larger factor than it was trained for."""
    if ladder.factor <= card.ladder.factor:
        return []
    return [
        f"the model was trained for ×{card.ladder.factor}, where motion is smaller; tsr-train "
        f"--factor {ladder.factor} makes one for ×{ladder.factor}"
    ]


def calibration_notes(card: ModelCard, info: ClipInfo, backend: str) -> list[str]:
    """What a user should know who runs an 8-bit file on another video, or where it is no gain."""
    if card.precision not in ("int8", "fp8"):
        return []
    notes = []
    own = card.video
    if (info.width, info.height, info.num_frames) != (own.width, own.height, own.num_frames):
        notes.append(
            f"the model's 8 bits are fitted to {own.name} ({own.width}×{own.height}, "
            f"{own.num_frames} frames); what this video has beyond its range is cut off"
        )
    if card.calibration.get("target") == "tensorrt" and backend.endswith("-cpu"):
        notes.append(
            "the model is quantised for TensorRT, which is no gain on a CPU; export it with "
            "--int8 VIDEO alone"
        )
    return notes


def choose_ladder(
    card: ModelCard,
    info: ClipInfo,
    factor: int | None,
    start: Fraction | None,
    exposure: float | None = None,
) -> ScaleLadder:
    """The ladder asked for, else the model's own; for another factor from where motion is as large.
    From a `start` that was asked for it is the paper's, with passes up to full size.

    A network that was trained for ×8 from S×1/8 makes ×4 from S×1/4: the motion it then sees is
    that of its own middle rung, and nothing is gained by starting coarser (+0.15 dB, mean of four
    clips, benchmarks/results/ideas-training.json).

    Raises:
        ClipError: a single frame. SettingsError: the video is too small for the coarsest rung.
    """
    if info.num_frames < 2:
        raise ClipError(f"{info.path} has 1 frame; there is nothing between frames to find")
    factor = factor or card.ladder.factor
    own, finest = card.ladder, START_SCALES[-1]
    if start is None:
        finest = own.finest
        start = min(max(own.start * Fraction(own.factor, factor), START_SCALES[0]), finest)
    exposure = own.exposure if exposure is None else exposure
    ladder = ScaleLadder(start, factor, exposure, finest, own.interpolation)
    short = int(min(info.height, info.width) * ladder.start)
    if short < SHORT_SIDE_MIN // 2:
        larger = "video" if ladder.start == 1 else "--start-scale"
        raise SettingsError(
            f"{info.path} is {info.width}×{info.height}: at S×{ladder.start} its shorter side has "
            f"{short} pixels, at least {SHORT_SIDE_MIN // 2} are needed; use a larger {larger}"
        )
    return ladder


def network_work(
    ladder: ScaleLadder, info: ClipInfo, segment: int, part: Span | None = None
) -> int:
    """Voxels that the network makes over the whole video, or over a part of it."""
    size = padded_size(info.height, info.width, ladder.multiple)
    plans = plan_segments(ladder, info.num_frames, segment, part)
    return sum(plan.network_voxels(*size) for plan in plans)


def segment_size(ladder: ScaleLadder, height: int, width: int, most: int) -> int:
    """Input frames per segment that keep its last network pass within so many voxels."""
    rows, columns = padded_size(height, width, ladder.multiple)
    last_pass = next(step for step in ladder.steps if step.after.t == ladder.factor)
    voxels = rows * columns * last_pass.after.s**2 * ladder.factor * 3
    return max(1, min(MAX_SEGMENT, int(most / voxels)))


def _timed(
    frames: Iterator[NDArray[np.float32]], stages: dict[str, float], stage: str
) -> Iterator[NDArray[np.float32]]:
    while True:
        before = time.perf_counter()
        frame = next(frames, None)
        stages[stage] += time.perf_counter() - before
        if frame is None:
            return
        yield frame
