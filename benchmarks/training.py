"""How fast is training, and does it learn the same in half precision?

    python -m benchmarks.training                # on this machine's GPU if there is one
    python -m benchmarks.training --presets paper --seconds 30

Trains on the demo's scene at its coarsest rung. For each preset: steps per second and the time that
its whole schedule takes; with --schedule the schedule is run to its end. On a GPU also the same
training in FP32 and bf16 from three seeds, compared by validation PSNR.
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
from tsr.trainer.loop import train_on_volume
from tsr.trainer.precision import native_half, preset_here
from tsr.trainer.report import TrainReport
from tsr.trainer.state import TrainState

FRAMES = 256
PRECISION_STEPS = 3000
SEEDS = (0, 1, 2)


def demo_video() -> Volume:
    """The demo's slow video at its coarsest rung: (3, 32, 68, 120)."""
    ladder, _ = ScaleLadder.for_size(DEMO_HEIGHT, DEMO_WIDTH)
    truth = render(demo_scene(FRAMES), FRAMES, DEMO_HEIGHT, DEMO_WIDTH)
    return coarse_video(degraded(truth, DEMO_FACTOR), ladder)[0]


def timed(video: Volume, config: TrainConfig, device: torch.device) -> dict[str, Any]:
    """Train as `config` says, on all kinds of examples; steps per second after the first tenth, and
    what was reached."""
    config = replace(config, examples="both")  # the presets let the video choose
    marks: list[tuple[int, float, TrainReport]] = []
    state = TrainState.fresh(config, device)
    started = time.perf_counter()

    def mark(report: TrainReport) -> None:
        marks.append((report.step, time.perf_counter() - started, report))

    train_on_volume(video, config, state, report=mark)
    seconds = time.perf_counter() - started
    settled = [m for m in marks if m[0] >= state.step // 10]
    (first, begun, _), (last, ended, report) = settled[0], settled[-1]
    rate = (last - first) / (ended - begun) if last > first else state.step / seconds
    return {
        "steps": state.step,
        "seconds": round(seconds, 2),
        "steps_per_second": round(rate, 2),
        "validation_psnr": round(state.best_psnr, 3),
        "validation_psnr_cubic": round(report.cubic, 3),
    }


def main() -> None:
    """Measure, print a table, write results/training-DEVICE.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", default="fast,balanced,paper")
    parser.add_argument("--seconds", type=float, default=20.0, help="per preset")
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
        whole = preset_here(name, device)
        config = replace(whole, max_minutes=given.seconds / 60, validate_every=50)
        figures = timed(video, config, device)
        figures["schedule_steps"] = whole.steps
        figures["schedule_minutes"] = round(whole.steps / figures["steps_per_second"] / 60, 2)
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
