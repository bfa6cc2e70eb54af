"""Where does the ladder lose? Each step against the truth at its own rung, on real clips.

    python -m benchmarks.quality --factors 8 --methods ours --presets fast      # trains the models
    python -m benchmarks.ladder
    python -m benchmarks.ladder --clips cup_turn --preset balanced
    python -m benchmarks.ladder --precision fp32     # the models of quality --precision fp32

The models that the quality benchmark has trained climb the ladder for a few input frames in the
middle of each clip. After each step the volume is compared with the truth, brought to that rung.
Then again with the truth as the input of each network pass, so that what a pass loses by itself is
told from what it inherits, and with more iterations of back-projection. The figures go to
results/ladder.json.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import ROOT, machine
from benchmarks.method_options import add_training_options, names, training_changes
from benchmarks.methods import Job, Ours, degrade
from benchmarks.quality import DATA, ORDER
from benchmarks.quality import OUT as MODELS
from benchmarks.stages import write_json
from tsr.core.backproject import backproject_hw, backproject_t
from tsr.core.clip_io import ClipReader
from tsr.core.ladder import NetworkPass, Rung, ScaleLadder
from tsr.core.metrics import psnr
from tsr.core.rect import rect_downsample
from tsr.core.volume import Volume, pad_to_multiple
from tsr.runtime import cpu_kernels
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.open_backend import open_on_cpu

RESULTS = ROOT / "benchmarks" / "results" / "ladder.json"
FACTOR = 8
MIDDLE = 3
"""Input frames that are compared."""
CONTEXT = 6
"""Input frames on each side of them: what the three passes together look at."""
ITERATIONS = (2, 3)


class Window:
    """Some input frames in the middle of a clip at every size, and their truth.

    Args:
        slow: the video degraded by `FACTOR`. truth: the video that it was made from.
        ladder: whose sizes are needed.
    """

    def __init__(self, slow: Path, truth: Path, ladder: ScaleLadder) -> None:
        self.ladder = ladder
        frames = ClipReader(slow).info.num_frames
        first = max(frames // 2 - MIDDLE // 2 - CONTEXT, 0)
        last = min(frames // 2 - MIDDLE // 2 + MIDDLE + CONTEXT, frames)
        start = frames // 2 - MIDDLE // 2 - first
        self.middle = slice(start, start + MIDDLE)
        self._sizes = {0: self._read(slow, first, last)}
        self._truths: dict[Rung, Volume] = {}
        self._truth = self._read(truth, first * FACTOR, last * FACTOR)

    def _read(self, clip: Path, first: int, last: int) -> Volume:
        frames = islice(ClipReader(clip), first, last)
        return pad_to_multiple(np.stack(list(frames), axis=1), self.ladder.multiple)

    def known(self, rung: Rung) -> Volume:
        """The input at the rung's size."""
        halvings = _halvings(rung)
        for done in range(halvings):
            if done + 1 not in self._sizes:
                self._sizes[done + 1] = cpu_kernels.halve_hw(self._sizes[done])
        return self._sizes[halvings]

    def truth(self, rung: Rung) -> Volume:
        """What a perfect ladder would have at the rung."""
        if rung in self._truths:
            return self._truths[rung]
        volume = self._truth if rung.t == FACTOR else rect_downsample(self._truth, FACTOR // rung.t)
        for _ in range(_halvings(rung)):
            volume = cpu_kernels.halve_hw(np.ascontiguousarray(volume))
        self._truths[rung] = np.ascontiguousarray(volume)
        return self._truths[rung]


def _halvings(rung: Rung) -> int:
    return (rung.s.denominator - 1).bit_length()


def climb(
    window: Window, backend: CpuBackend, *, truth_before: int | None = None, iterations: int = 1
) -> dict[str, float]:
    """PSNR after each step of the ladder, by rung.

    Args:
        truth_before: number of the step that is given the truth; what lies before is left out.
        iterations: of back-projection.
    """
    found = {}
    volume = window.known(window.ladder.steps[0].before)
    for number, step in enumerate(window.ladder.steps):
        if truth_before is not None and number < truth_before:
            continue
        if number == truth_before:
            volume = window.truth(step.before)
        frames = volume.shape[1]
        if isinstance(step, NetworkPass):
            volume = backend.network_pass(step, volume, (0, frames), (0, 2 * frames), frames)
        else:
            low, known = volume, window.known(step.after)
            volume = backend.climb(low, known).copy()
            for _ in range(iterations - 1):
                volume = again(volume, low, known)
        part = slice(window.middle.start * step.after.t, window.middle.stop * step.after.t)
        truth = window.truth(step.after)[:, part]
        found[str(step.after)] = round(psnr(volume[:, part], truth), 2)
    return found


def again(guess: Volume, low: Volume, known: Volume) -> Volume:
    """One more iteration of back-projection: in space, then in time."""
    return np.clip(backproject_t(backproject_hw(guess, low), known), 0, 1)


def measure(name: str, ours: Ours, folder: Path) -> dict[str, Any]:
    """A clip's figures, by the model in its folder of the quality benchmark's."""
    job = Job(truth=DATA / name / "gt.mkv", folder=folder / f"x{FACTOR}", factor=FACTOR)
    model = job.fast(ours.name).with_name("model.onnx")
    if not model.is_file():
        raise SystemExit(f"{model} does not exist; run python -m benchmarks.quality first")
    degrade(job)
    network = open_on_cpu(model, "onnxruntime")
    backend = CpuBackend(network)
    window = Window(job.slow, job.truth, network.card.ladder)
    found: dict[str, Any] = {"as it runs": climb(window, backend)}
    for number, step in enumerate(window.ladder.steps):
        if number and isinstance(step, NetworkPass):
            found[f"truth given at {step.before}"] = climb(window, backend, truth_before=number)
    for iterations in ITERATIONS:
        found[f"{iterations} iterations of back-projection"] = climb(
            window, backend, iterations=iterations
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the clips asked for."""
    parser = argparse.ArgumentParser(description="Where the ladder loses.")
    parser.add_argument("--clips", type=names, default=[*ORDER])
    parser.add_argument("--preset", default="fast", help="whose models are looked at")
    add_training_options(parser)
    parser.add_argument("--out", type=Path, default=MODELS, help="the quality benchmark's folder")
    parser.add_argument("--results", type=Path, default=RESULTS, help="results file")
    given = parser.parse_args(arguments)
    ours = Ours(preset=given.preset, changes=training_changes(given))
    report: dict[str, Any] = {"benchmark": "ladder", "clips": {}}
    if given.results.is_file():
        report = json.loads(given.results.read_text(encoding="utf-8"))
    for name in given.clips:
        report["clips"][name] = measure(name, ours, given.out / name)
        report |= {"method": ours.name, "middle": MIDDLE, "machine": machine()}
        write_json(given.results, report)
        for how, rungs in report["clips"][name].items():
            print(name, how, *(f"{rung}: {dB:.2f}" for rung, dB in rungs.items()), sep="  ")


if __name__ == "__main__":
    main()
