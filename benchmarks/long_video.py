"""Memory of `tsr` over a long video: python -m benchmarks.long_video --minutes 60

A rendered video of any length goes through the whole command. Two things stand in, since they take
hours and hold no memory of the video's length: the training reads the whole video as it would, but
takes no step, and the network adds nothing to what it is handed. The encoder is set to its fastest.
"""

import argparse
import os
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import ROOT, machine
from benchmarks.stages import write_json
from tsr.core.clip_io import ENCODERS, ClipInfo, ClipReader, ClipWriter, Colour, FrameTimes
from tsr.core.clip_io.info import probe
from tsr.core.ladder import ScaleLadder
from tsr.core.tiling import Span
from tsr.pipeline import one_shot
from tsr.pipeline.batch import Task, make_all
from tsr.pipeline.cache import Cache
from tsr.pipeline.content import Content
from tsr.pipeline.duplicates import frames_as_they_are
from tsr.pipeline.options import Options
from tsr.pipeline.record import ShotRecord
from tsr.pipeline.render import Maker
from tsr.pipeline.shot_networks import ShotNetwork
from tsr.pipeline.told import Told
from tsr.runtime.cpu_backend import SEGMENT_VOXELS, CpuBackend
from tsr.runtime.recording import interpolation

LOOP = 60
"""Frames of the picture, which then begins anew."""

SAMPLE_SECONDS = 1.0


def render(path: Path, minutes: float, height: int, width: int, fps: int) -> ClipInfo:
    """A pattern that moves, as long as asked for; kept from an earlier run."""
    count = round(minutes * 60 * fps)
    if path.is_file():
        return probe(path)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wave = 0.5 + 0.3 * np.sin(x / 17) * np.cos(y / 23)
    loop = [
        np.repeat(np.roll(wave, width * n // LOOP, axis=1)[None], 3, axis=0) for n in range(LOOP)
    ]
    info = ClipInfo(
        path=path, width=width, height=height, times=FrameTimes.constant(Fraction(fps), count),
        colour=Colour(), pixel_format="yuv420p", bit_depth=8, chroma="420",
    )  # fmt: skip
    with ClipWriter(path, info, times=info.times) as writer:
        for n in range(count):
            writer.write(loop[n % LOOP])
    return probe(path)


class Memory:
    """What the process occupies, sampled while a block runs: (seconds, MiB)."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Memory":
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()  # however short the run was

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * page
        seconds = time.monotonic() - self._started
        self.samples.append((round(seconds, 1), round(resident / 2**20, 1)))


def stub(job: Any, found: Any, retimed: Any, kept: Any, told: Told) -> dict[Span, ShotNetwork]:
    """In place of `one_shot.networks`: reads the video as a training does."""
    from tsr.trainer.coarse import coarse_video

    ladder, _ = ScaleLadder.for_size(job.clip.height, job.clip.width, job.options.factor)
    told.stage("train", "reading the video; no step is taken")
    with ClipReader(job.clip.path, job.clip) as reader:
        coarse_video(reader, ladder)
    told.done("read")
    return {span: _stub(span, ladder) for span in retimed}


def _stub(span: Span, ladder: ScaleLadder) -> ShotNetwork:
    record = ShotRecord(start=span[0], stop=span[1], source="interpolated", reason="a benchmark")
    content = Content(frames_as_they_are(span[1] - span[0]))
    maker = Maker(ladder, lambda: CpuBackend(interpolation, engine="stub"), content, SEGMENT_VOXELS)
    return ShotNetwork(maker, {}, record, "fp32", "stub")


def main() -> None:
    """Render, run, and write benchmarks/results/long-video.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--factor", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "long")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/long-video.json")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    ENCODERS["h264"].options["preset"] = "ultrafast"
    size = f"{given.width}x{given.height}"
    clip = given.folder / f"long-{size}-{given.minutes:g}min.mp4"
    info = render(clip, given.minutes, given.height, given.width, given.fps)
    one_shot.networks = stub
    options = Options(factor=given.factor, overwrite=True)
    task = Task(clip, given.folder / "fast.mp4")
    with Memory() as memory:
        (outcome,) = make_all([task], options, Cache(given.folder / "cache"), Told())
    if outcome.error:
        raise SystemExit(outcome.error)
    write_json(given.output, report(given, info, memory.samples))


def report(
    given: argparse.Namespace, info: ClipInfo, samples: list[tuple[float, float]]
) -> dict[str, Any]:
    """Peak of each tenth of the run: what grows with the length would rise to the end."""
    mib = np.array([value for _, value in samples])
    tenths = [round(float(part.max())) for part in np.array_split(mib, min(10, len(mib)))]
    return {
        "benchmark": "memory of tsr over a long video, network and training stubbed",
        "minutes": given.minutes,
        "size": [given.height, given.width],
        "input_frames": info.num_frames,
        "output_frames": info.num_frames * given.factor,
        "seconds": samples[-1][0],
        "peak_mib": round(float(mib.max())),
        "peak_mib_by_tenth_of_the_run": tenths,
        "machine": machine(),
    }


if __name__ == "__main__":
    main()
