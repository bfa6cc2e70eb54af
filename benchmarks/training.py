"""How fast is training, and does it learn the same in half precision?

    python -m benchmarks.training                # on this machine's GPU if there is one
    python -m benchmarks.training --presets paper --seconds 30

Trains on the demo's scene at its coarsest rung. For each preset: what starting up takes, steps per
second from then on, and from both the time of its whole schedule, which --schedule runs to its end.
On a GPU also the same training in FP32 and bf16 from three seeds, compared by validation PSNR.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import ROOT, machine
from tsr.core.ladder import ScaleLadder
from tsr.core.volume import Volume
from tsr.evaluation.degrade import degraded
from tsr.evaluation.demo_scene import DEMO_FACTOR, DEMO_HEIGHT, DEMO_WIDTH, demo_scene
from tsr.evaluation.scenes import render
from tsr.trainer.coarse import coarse_video
from tsr.trainer.config import TrainConfig
from tsr.trainer.cuda_graph import EAGER_STEPS
from tsr.trainer.loop import train_on_volume, validate
from tsr.trainer.pace import WARM_UP
from tsr.trainer.precision import native_half, preset_here
from tsr.trainer.state import TrainState, copied

FRAMES = 256
PRECISION_STEPS = 3000
SEEDS = (0, 1, 2)

RECORDED_STEPS = 8
"""Replays of a recorded step that may be slower than those to come."""

BETWEEN_MARKS = 0.2
"""Seconds at least: a GPU that is waited for after each step takes fewer."""


def demo_video() -> Volume:
    """The demo's slow video at its coarsest rung: (3, 32, 68, 120)."""
    ladder, _ = ScaleLadder.for_size(DEMO_HEIGHT, DEMO_WIDTH)
    truth = render(demo_scene(FRAMES), FRAMES, DEMO_HEIGHT, DEMO_WIDTH)
    return coarse_video(degraded(truth, DEMO_FACTOR), ladder)[0]


class Watch:
    """Asked after each step of a training whether to stop; notes how many steps were taken when.

    Args:
        device: what the steps are taken on. seconds: to go on for once started up.
    """

    def __init__(self, device: torch.device, seconds: float) -> None:
        self._on_gpu, self._seconds = device.type == "cuda", seconds
        self._slow = EAGER_STEPS + RECORDED_STEPS if self._on_gpu else WARM_UP
        self._steps = 0
        self._marks = [(0, time.perf_counter())]

    def __call__(self) -> bool:
        """Whether enough steps have been seen."""
        self._steps += 1
        if time.perf_counter() - self._marks[-1][1] < BETWEEN_MARKS and self._steps != self._slow:
            return False
        if self._on_gpu:
            torch.cuda.synchronize()  # steps are handed over long before they are taken
        self._marks.append((self._steps, time.perf_counter()))
        return self._steps > self._slow and self._marks[-1][1] - self._settled[1] >= self._seconds

    @property
    def _settled(self) -> tuple[int, float]:
        return next(mark for mark in self._marks if mark[0] == self._slow)

    @property
    def rate(self) -> float:
        """Steps per second once started up."""
        (first, begun), (last, ended) = self._settled, self._marks[-1]
        return (last - first) / (ended - begun)

    @property
    def start_up(self) -> float:
        """Seconds that the first steps, and what comes before them, took longer than others."""
        steps, settled = self._settled
        return max(0.0, settled - self._marks[0][1] - steps / self.rate)


def settled(config: TrainConfig, **changes: Any) -> TrainConfig:
    """Without what the presets let the video choose; the demo's would have cubic interpolation."""
    return replace(config, examples="both", interpolation="cubic", **changes)


def pace(
    video: Volume, config: TrainConfig, device: torch.device, seconds: float
) -> dict[str, Any]:
    """What a training takes as `config` says: start-up, steps per second, the whole schedule.

    Either half of a training has a step of its own (`tsr.trainer.loop.FINISH`), and on a GPU each
    begins with a search for algorithms, some eager steps and a recording.

    Args:
        seconds: to look at the steps that come after, over both halves.
    """
    endless = settled(config, steps=10_000_000)  # which half, we say
    state = TrainState.fresh(endless, device)
    halves = []
    for _ in range(2):
        halves.append(Watch(device, seconds / 2))
        validation = train_on_volume(video, endless, state, stop=halves[-1])
        validate(state, validation, endless)
        state.last_part, state.learned = len(state.history), copied(state.best)
    start_up = sum(half.start_up for half in halves)
    per_step = statistics.mean(1 / half.rate for half in halves)
    return {
        "start_up_seconds": round(start_up, 2),
        "steps_per_second": round(1 / per_step, 2),
        "steps_per_second_by_half": [round(half.rate, 2) for half in halves],
        "schedule_steps": config.steps,
        "schedule_minutes": round((start_up + config.steps * per_step) / 60, 2),
    }


def timed(video: Volume, config: TrainConfig, device: torch.device) -> dict[str, Any]:
    """Train as `config` says, on all kinds of examples, to the end; what it took and reached."""
    config = settled(config)
    state = TrainState.fresh(config, device)
    started = time.perf_counter()
    validation = train_on_volume(video, config, state)
    return {
        "steps": state.step,
        "seconds": round(time.perf_counter() - started, 2),
        "validation_psnr": round(state.best_psnr, 3),
        "validation_psnr_cubic": round(validation.cubic_psnr, 3),
    }


def main() -> None:
    """Measure, print a table, write results/training-DEVICE.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", default="fast,balanced,paper")
    parser.add_argument("--seconds", type=float, default=20.0, help="per preset, start-up apart")
    parser.add_argument("--schedule", help="preset to run to its end")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    video = demo_video()
    report: dict[str, Any] = {"machine": machine(), "video": list(video.shape), "presets": {}}
    if device.type == "cuda":
        report["machine"]["gpu"] = torch.cuda.get_device_name()
        report["machine"]["cuda"] = torch.version.cuda
    for name in given.presets.split(","):
        figures = pace(video, preset_here(name, device), device, given.seconds)
        report["presets"][name] = figures
        print(name, figures, flush=True)
    if native_half(device):
        report["precision"] = {
            precision: [
                timed(
                    video,
                    preset_here(
                        "balanced", device, steps=PRECISION_STEPS, precision=precision, seed=seed
                    ),
                    device,
                )["validation_psnr"]
                for seed in SEEDS
            ]
            for precision in ("bf16", "fp32")
        }
        print({k: statistics.mean(v) for k, v in report["precision"].items()}, flush=True)
    if given.schedule:
        figures = timed(video, preset_here(given.schedule, device), device)
        report["schedule"] = {"preset": given.schedule, **figures}
        print("whole schedule", report["schedule"], flush=True)
    kind = "cpu" if device.type == "cpu" else torch.cuda.get_device_name().split()[1].lower()
    path = given.out / f"training-{kind}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
