"""What is it worth to follow the exposure? Short trainings on videos that were open half the time.

    python -m benchmarks.exposure_worth
    python -m benchmarks.exposure_worth --steps 300 --clips wheel

A rendered scene and, where ../shared/data has it, a real clip are degraded by 8 with half the
exposure. A network is trained and run as if the exposure had been full, another for half, and the
first is also run for half: what back-projection alone is worth. PSNR against the truth, mean of the
frames but the first and last input frame's. Who takes the exposure for full shows everything a
quarter of a frame too late, which nobody would see: in time, such a result is also scored that much
earlier. The figures go to results/exposure-worth.json.
"""

import argparse
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import ROOT, machine
from benchmarks.method_options import names
from benchmarks.stages import run_stage, write_json
from tsr.core.clip_io import ClipReader, probe
from tsr.core.metrics import psnr
from tsr.evaluation.aliasing import INPUT_FRAMES, SIDE, scenes
from tsr.evaluation.baselines import upsampled
from tsr.evaluation.scenes import write_scene

OUT = ROOT / "out" / "bench-exposure"
RESULTS = ROOT / "benchmarks" / "results" / "exposure-worth.json"
DATA = ROOT.parent / "shared" / "data"

FACTOR, EXPOSURE = 8, 0.5
CLIPS = {"wheel": "wheel_slower", "cup_turn": None}
"""The rendered scene behind a name, None for a real clip."""
FOLLOWED = {
    "full": ("full", "full"),
    "back-projection alone": ("full", "0.5"),
    "half": ("0.5", "0.5"),
}
"""Exposure that the network is trained for, and that it is run for."""


def truth_of(name: str, folder: Path) -> Path:
    """The fast video; rendered if it is a scene."""
    scene = CLIPS[name]
    if scene is None:
        return DATA / name / "gt.mkv"
    path = folder / "truth.mkv"
    if not path.is_file():
        write_scene(
            scenes()[scene].scene,
            path,
            num_frames=INPUT_FRAMES * FACTOR,
            height=SIDE,
            width=SIDE,
            encoder="ffv1",
        )
    return path


def measure(name: str, training: dict[str, int]) -> dict[str, Any]:
    """The PSNR by what was followed, and linear interpolation's.

    Args:
        training: options of `tsr-train` by name.
    """
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    truth, slow = truth_of(name, folder), folder / "slow.mkv"
    settings = {"truth": truth.stat().st_size, "exposure": EXPOSURE}
    words = [truth, "-o", slow, "--factor", FACTOR, "--exposure", EXPOSURE]
    _stage("degrade", folder, "tsr.evaluation.degrade_cli", words, settings, slow)
    found = _both("linear", lambda: upsampled(ClipReader(slow), FACTOR, "linear"), truth, slow)
    options = [word for key, value in training.items() for word in (f"--{key}", value)]
    for followed, (trained, ran) in FOLLOWED.items():
        model = folder / f"trained-{trained}.safetensors"
        graph, fast = model.with_suffix(".onnx"), folder / f"{trained}-{ran}.mkv"
        settings |= training | {"trained": trained, "ran": ran}
        once = {key: value for key, value in settings.items() if key != "ran"}
        words = [slow, "-o", model, "--exposure", trained, *options]
        _stage(f"train-{trained}", folder, "tsr.trainer.cli", words, once, model)
        _stage(f"export-{trained}", folder, "tsr.export.cli", [model, "-o", graph], once, graph)
        words = [graph, slow, "-o", fast, "--exposure", ran, "--encoder", "ffv1"]
        _stage(f"run-{trained}-{ran}", folder, "tsr.runtime.cli", words, settings, fast)
        if followed == "full":
            found |= _both(followed, lambda fast=fast: ClipReader(fast), truth, slow)
        else:
            found[followed] = _score(ClipReader(fast), truth, slow)
        print(name, found, flush=True)
    return found


def _both(method: str, frames: Callable[[], Any], truth: Path, slow: Path) -> dict[str, float]:
    """The scores of a method that takes the exposure for full: as it is, and moved in time."""
    late = round((1 - EXPOSURE) / 2 * FACTOR)
    moved = _score(islice(frames(), late, None), truth, slow)
    return {method: _score(frames(), truth, slow), f"{method}, moved in time": moved}


def _stage(
    name: str, folder: Path, module: str, words: list[Any], settings: dict[str, Any], made: Path
) -> None:
    arguments = [*map(str, words), "--overwrite", "--json"]
    run_stage(name, folder, module, arguments, settings=settings, outputs=[made])


def _score(frames: Any, truth: Path, slow: Path) -> float:
    last = (probe(slow).num_frames - 1) * FACTOR
    pairs = islice(zip(frames, ClipReader(truth), strict=False), FACTOR, last)
    return round(float(np.mean([psnr(made, true) for made, true in pairs])), 3)


def main() -> None:
    """Measure the clips asked for that are there."""
    parser = argparse.ArgumentParser(description="The worth of following the exposure.")
    parser.add_argument("--clips", type=names, default=[*CLIPS], help=f"of {', '.join(CLIPS)}")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--channels", type=int, default=32)
    given = parser.parse_args()
    if missing := [name for name in given.clips if name not in CLIPS]:
        raise SystemExit(f"no clips {', '.join(missing)}; choose from {', '.join(CLIPS)}")
    training = {"steps": given.steps, "channels": given.channels}
    report: dict[str, Any] = {"benchmark": "exposure-worth", "training": training, "clips": {}}
    for name in given.clips:
        if CLIPS[name] is None and not (DATA / name).is_dir():
            print(f"{name} is not in {DATA}; left out")
            continue
        report["clips"][name] = measure(name, training)
        report["machine"] = machine()
        write_json(RESULTS, report)


if __name__ == "__main__":
    main()
