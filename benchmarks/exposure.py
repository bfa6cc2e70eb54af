"""How well does `--exposure auto` tell the exposure? Rendered scenes and real clips.

    python -m benchmarks.exposure
    python -m benchmarks.exposure --seeds 1 --clips ""

Scenes of `evaluation.moving_scenes` at several speeds and seeds, each degraded by 16 at exposures
of 1, .75, .5 and .25 of the interval: as they are, with noise, and through H.264. The clips of
../shared/data are degraded by 8. The figures go to results/exposure.json.
"""

import argparse
import math
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import ROOT, machine
from benchmarks.method_options import names
from benchmarks.stages import write_json
from tsr.core.clip_io import (
    ClipInfo,
    ClipReader,
    ClipWriter,
    Colour,
    FrameTimes,
    choose_encoding,
    probe,
)
from tsr.evaluation.degrade import degraded
from tsr.evaluation.moving_scenes import Crossing, Drift, Turn
from tsr.evaluation.scenes import Profile, Scene, SpokedDisc, render
from tsr.trainer.exposure import ExposureEstimate, ExposureMeter

RESULTS = ROOT / "benchmarks" / "results" / "exposure.json"
DATA = ROOT.parent / "shared" / "data"

EXPOSURES = (1.0, 0.75, 0.5, 0.25)
SPEEDS = (3.0, 6.0, 10.0)
"""Pixels per frame of the slow video."""
FACTOR, NUM_FRAMES, HEIGHT, WIDTH = 16, 8, 176, 240
NOISE = 3 / 255
CLIP_FACTOR = 8
MOST_FRAMES = 480
"""Of a real clip's truth."""

Frame = NDArray[np.float32]
Treated = dict[str, list[Frame]]


def scene_of(kind: str, speed: float, seed: int) -> Scene:
    """A scene that moves `speed` pixels per slow frame."""
    speed /= FACTOR
    if kind == "drift":
        return Drift(speed=speed, direction=0.4 + 1.3 * seed + speed, seed=seed)
    if kind == "turn":
        return Turn(speed=speed, seed=seed)
    if kind == "wheel":
        rim, spokes = 2 * math.pi * SpokedDisc.radius * HEIGHT, 3 + 2 * seed
        return SpokedDisc(spokes=spokes, speed=Profile.constant(speed * spokes / rim))
    return Crossing(speed=speed, seed=seed, plain=kind == "plain")


KINDS = ("drift", "turn", "crossing", "plain", "wheel")


def treated(frames: list[Frame], seed: int) -> Treated:
    """The slow video as it is stored without loss, with noise, and by H.264."""
    chance = np.random.default_rng(seed)
    noisy = [frame + chance.normal(0, NOISE, frame.shape) for frame in frames]
    plain, grain = ([_eight_bits(frame) for frame in some] for some in (frames, noisy))
    return {"clean": plain, "noise of 3/255": grain, "H.264": _through_h264(frames)}


def _eight_bits(frame: NDArray[Any]) -> Frame:
    return np.asarray(np.rint(np.clip(frame, 0, 1) * 255) / 255, np.float32)


def _through_h264(frames: list[Frame]) -> list[Frame]:
    """Encoded as `tsr-run` would by default, and decoded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slow.mp4"
        times = FrameTimes.constant(Fraction(30), len(frames))
        height, width = frames[0].shape[1:]
        info = ClipInfo(
            path=path,
            height=height,
            width=width,
            times=times,
            colour=Colour(),
            pixel_format="yuv420p",
            bit_depth=8,
            chroma="420",
        )
        with ClipWriter(path, info, times=times, encoding=choose_encoding(path, info)) as writer:
            for frame in frames:
                writer.write(frame)
        return list(ClipReader(path))


def measured(frames: Iterable[Frame], num_frames: int) -> ExposureEstimate:
    """What the meter says when it has seen all frames."""
    meter = ExposureMeter(num_frames)
    for _ in meter.watch(frames):
        pass
    return meter.estimate()


def on_scenes(seeds: int) -> Iterator[dict[str, Any]]:
    """One entry per scene, treatment and exposure."""
    for kind in KINDS:
        for speed in SPEEDS:
            for seed in range(seeds):
                scene = scene_of(kind, speed, seed)
                truth = list(render(scene, FACTOR * NUM_FRAMES, HEIGHT, WIDTH))
                for exposure in EXPOSURES:
                    slow = list(degraded(truth, FACTOR, exposure))
                    for treatment, frames in treated(slow, seed).items():
                        found = measured(frames, NUM_FRAMES)
                        where = {"kind": kind, "speed": speed, "seed": seed}
                        yield {**where, "treatment": treatment, **entry(exposure, found)}


def on_clip(truth: Path) -> Iterator[dict[str, Any]]:
    """One entry per exposure."""
    count = min(probe(truth).num_frames, MOST_FRAMES) // CLIP_FACTOR
    for exposure in EXPOSURES:
        frames = islice(ClipReader(truth), count * CLIP_FACTOR)
        yield entry(exposure, measured(degraded(frames, CLIP_FACTOR, exposure), count))


def entry(exposure: float, found: ExposureEstimate) -> dict[str, Any]:
    """One estimate, for JSON."""
    figures = asdict(found) | {"error": found.error if math.isfinite(found.error) else None}
    rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}
    return {"truth": exposure, **rounded, "followed": found.exposure, "sure": found.confident}


def main() -> None:
    """Measure and write."""
    known = sorted(path.parent.name for path in DATA.glob("*/gt.mkv"))
    parser = argparse.ArgumentParser(description="Estimates of the exposure.")
    parser.add_argument("--seeds", type=int, default=2, help="scenes of each kind and speed")
    parser.add_argument("--clips", type=names, default=known, help=f"of {', '.join(known)}")
    given = parser.parse_args()
    if missing := [name for name in given.clips if name not in known]:
        raise SystemExit(f"no clips {', '.join(missing)} in {DATA}")
    report: dict[str, Any] = {"benchmark": "exposure", "scenes": [], "clips": {}}
    for found in on_scenes(given.seeds):
        report["scenes"].append(found)
        print(*found.values(), flush=True)
    for name in given.clips:
        report["clips"][name] = list(on_clip(DATA / name / "gt.mkv"))
        print(name, *report["clips"][name], sep="\n  ", flush=True)
    report["machine"] = machine()
    write_json(RESULTS, report)


if __name__ == "__main__":
    main()
