"""How good is a fast video of a camera that moves, or as a phone records it?

    python -m benchmarks.conditions
    python -m benchmarks.conditions --clips cup_turn --conditions hand --methods linear,rife,ours

The clips of ../shared/data stand still and are degraded without loss. Here the same clips are seen
by a camera carried in a hand: through a window that drifts and shakes, so that everything moves,
truth and slow video alike. And as a phone records them: the slow video has noise and is H.264, the
truth stays as it is. Then all goes on as in the quality benchmark, stages kept in the same way. The
figures go to results/conditions.json.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.clip_scores import measures
from benchmarks.machine import ROOT, machine
from benchmarks.method_options import add_method_options, chosen_methods, names
from benchmarks.methods import Job, degrade
from benchmarks.quality import DATA, clip_folders, load_report, measure_clip
from benchmarks.stages import write_json
from tsr.core.clip_io import ClipReader, ClipWriter, choose_encoding, decimated
from tsr.core.errors import TsrError
from tsr.evaluation.degrade import degraded

if TYPE_CHECKING:
    from torch import Tensor

Frame = NDArray[np.float32]

FACTOR = 8
OUT = ROOT / "out" / "bench-conditions"
RESULTS = ROOT / "benchmarks" / "results" / "conditions.json"
CONDITIONS = ("hand", "phone")

SEEN = 3 / 4
"""Of a clip's rows and columns: what the window shows, in multiples of 16 pixels."""
SWAY = ((0.7, 1.0), (1.9, 0.35), (3.4, 0.2), (7.0, 0.08), (11.0, 0.03))
"""How a hand moves: cycles per second of the slow video, taken for 30 frames per second, and how
far, as shares of the slowest."""
SLOW_RATE = 30
ROOM = 0.5
"""Of the way to the clip's border, which the window goes."""

NOISE = 3 / 255
"""Standard deviation in each colour of a pixel: a phone indoors."""
QUALITY = 23
"""CRF of the slow video: x264's own default."""


def job_of(clip: Path, condition: str, out: Path) -> Job:
    """A clip under a condition; its slow video is made if it is not there."""
    folder = out / f"{clip.name}-{condition}"
    job = Job(truth=clip / "gt.mkv", folder=folder / f"x{FACTOR}", factor=FACTOR)
    if condition == "hand":
        job = replace(job, truth=folder / "gt.mkv")
        if not job.truth.exists():
            carry(clip / "gt.mkv", job.truth)
        degrade(job)
    elif not job.slow.exists():
        record(job)
    return job


def carry(still: Path, moving: Path) -> None:
    """Show a clip through a window that a hand carries."""
    moving.parent.mkdir(parents=True, exist_ok=True)
    with ClipReader(still) as reader:
        info = reader.info
        height, width = (int(side * SEEN) // 16 * 16 for side in (info.height, info.width))
        seen = replace(info, height=height, width=width)
        encoding = choose_encoding(moving, seen, encoder="ffv1")
        down = sway(info.num_frames, ROOM * (info.height - height) / 2, seed=0)
        right = sway(info.num_frames, ROOM * (info.width - width) / 2, seed=1)
        with ClipWriter(moving, seen, times=info.times, encoding=encoding) as writer:
            for frame, y, x in zip(reader, down, right, strict=True):
                writer.write(window(frame, (height, width), (y, x)))


def sway(frames: int, reach: float, seed: int) -> NDArray[np.float64]:
    """Pixels by which the window is off the middle, frame by frame; `reach` at most."""
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(SWAY))
    seconds = np.arange(frames) / (SLOW_RATE * FACTOR)
    path = np.zeros(frames)
    for (rate, share), phase in zip(SWAY, phases, strict=True):
        path += share * np.sin(2 * np.pi * rate * seconds + phase)
    path -= (path.max() + path.min()) / 2
    return path * reach / max(np.abs(path).max(), 1e-9)


def window(frame: Frame, size: tuple[int, int], off: tuple[float, float]) -> Frame:
    """The part (3, h, w) of a frame (3, H, W), so many pixels off its middle, by a cubic."""
    import torch

    def places(whole: int, part: int, off: float) -> "Tensor":
        pixels = torch.arange(part) + (whole - part) / 2 + off
        return (pixels + 0.5) * 2 / whole - 1

    rows, columns = (places(*sides) for sides in zip(frame.shape[1:], size, off, strict=True))
    where = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1).float()
    seen = torch.nn.functional.grid_sample(
        torch.from_numpy(frame)[None], where[None], mode="bicubic", align_corners=False
    )
    return seen[0].clamp(0, 1).numpy()


def record(job: Job) -> None:
    """Make the slow video as a phone would: noise, then H.264."""
    job.folder.mkdir(parents=True, exist_ok=True)
    with ClipReader(job.truth) as reader:
        info = reader.info
        times = decimated(info.times, job.factor)
        # In 8 bits of 4:2:0, whatever the truth has.
        plain = replace(info, pixel_format="yuv420p", bit_depth=8)
        encoding = choose_encoding(job.slow, plain, encoder="h264", quality=QUALITY)
        with ClipWriter(job.slow, plain, times=times, encoding=encoding) as writer:
            for frame in noisy(degraded(reader, job.factor)):
                writer.write(frame)


def noisy(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Frames with a sensor's noise."""
    chance = np.random.default_rng(0)
    for frame in frames:
        yield np.clip(frame + NOISE * chance.standard_normal(frame.shape, np.float32), 0, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; write after each method."""
    parser = argparse.ArgumentParser(description="Quality under other conditions.")
    parser.add_argument("--clips", type=names, default=[], help="names; all when left out")
    parser.add_argument("--conditions", type=names, default=[*CONDITIONS], help=f"of {CONDITIONS}")
    add_method_options(parser)
    parser.add_argument("--data", type=Path, default=DATA, help="folders of gt.mkv")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--results", type=Path, default=RESULTS, help="results file")
    given = parser.parse_args(arguments)
    if unknown := set(given.conditions) - {*CONDITIONS}:
        raise SystemExit(f"no conditions {', '.join(unknown)}; choose from {', '.join(CONDITIONS)}")
    methods = chosen_methods(given)
    report = load_report(given.results, fresh=False) | {"benchmark": "conditions"}

    def save() -> None:
        report["lpips_every"] = measures()["lpips_every"]
        report["machine"] = machine()
        write_json(given.results, report)

    try:
        for clip in clip_folders(given.data, given.clips):
            for condition in given.conditions:
                clips = report["factors"].setdefault(condition, {})
                job = job_of(clip, condition, given.out)
                measure_clip(job, methods, clips.setdefault(clip.name, {"methods": {}}), save)
    except TsrError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
