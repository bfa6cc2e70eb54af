"""Which internal examples suit each clip, and does `--examples auto` choose them (paper, Table 2)?

    python -m benchmarks.examples
    python -m benchmarks.examples --clips cup_turn --steps 1500

Each clip of ../shared/data is degraded by 8, and a network trained on it from each kind of
examples. Its first pass, on which the ladder's others build, is compared with the truth at the
coarsest rung. Then `auto` chooses, as it does for a whole training. The figures go to
results/examples.json.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from benchmarks.machine import ROOT, commit, machine
from benchmarks.method_options import names
from benchmarks.methods import Job, degrade
from benchmarks.quality import DATA, ORDER
from benchmarks.quality import OUT as WORK
from benchmarks.stages import write_json
from tsr.core.clip_io import ClipReader
from tsr.core.ladder import ScaleLadder
from tsr.core.metrics import psnr
from tsr.core.rect import rect_downsample
from tsr.core.volume import Volume
from tsr.trainer.choose import choose_examples
from tsr.trainer.coarse import coarse_video, shrunk
from tsr.trainer.config import FixedExamples, Preset, TrainConfig
from tsr.trainer.consistency import network_pass
from tsr.trainer.loop import train_on_volume
from tsr.trainer.network import TsrNetwork
from tsr.trainer.precision import computes_half, preset_here
from tsr.trainer.state import TrainState
from tsr.trainer.train import choose_device

RESULTS = ROOT / "benchmarks" / "results" / "examples.json"
PRESET: Preset = "fast"
FACTOR = 8
ENDS = 2
"""Input frames at each end that are not compared: interpolation knows less there."""


def volumes(name: str) -> tuple[Volume, Volume]:
    """A slow clip at its coarsest rung, (3, T, h, w), and the truth at twice its rate."""
    job = Job(truth=DATA / name / "gt.mkv", folder=WORK / name / f"x{FACTOR}", factor=FACTOR)
    degrade(job)
    slow, fast = ClipReader(job.slow), ClipReader(job.truth)
    ladder, _ = ScaleLadder.for_size(slow.info.height, slow.info.width)
    video, _ = coarse_video(slow, ladder)
    truth = np.stack(list(shrunk(fast, ladder)), axis=1)[:, : FACTOR * video.shape[1]]
    return video, rect_downsample(truth, FACTOR // 2)


def first_pass(network: TsrNetwork, video: Volume, truth: Volume, *, half: bool) -> float:
    """PSNR in dB of the frames that a network makes of the video."""
    device = next(network.parameters()).device
    made = network_pass(network, torch.from_numpy(video)[None].to(device), half=half)
    middle = slice(2 * ENDS, -2 * ENDS)
    return round(psnr(made[0].cpu().numpy()[:, middle], truth[:, middle]), 2)


def trained(kind: FixedExamples, video: Volume, config: TrainConfig) -> TsrNetwork:
    """A network that has learned from one kind of examples."""
    state = TrainState.fresh(config, choose_device("auto"))
    train_on_volume(video, replace(config, examples=kind), state)
    state.network.load_state_dict(state.best)
    return state.network


def measure(name: str, whole: TrainConfig, short: TrainConfig) -> dict[str, Any]:
    """A clip's figures.

    Args:
        whole: the training that `auto` chooses for. short: the one of each kind.
    """
    device = choose_device("auto")
    half = computes_half(short, device)
    video, truth = volumes(name)
    silent = TsrNetwork(short.channels).to(device)
    silent.silence()
    choice = choose_examples(video, whole, device)
    assert choice is not None  # nobody stops it
    found = {"cubic": first_pass(silent, video, truth, half=half)}
    for kind in get_args(FixedExamples):
        network = trained(kind, video, short)
        found[kind] = first_pass(network, video, truth, half=half)
        print(name, kind, f"{found[kind]:.2f} dB", flush=True)
    print(name, "auto:", choice.examples, choice.reason, flush=True)
    return {"psnr": found, "auto": choice.to_dict(), "steps": short.steps, "commit": commit()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the clips asked for."""
    parser = argparse.ArgumentParser(description="Which examples suit each clip.")
    parser.add_argument("--clips", type=names, default=[*ORDER])
    parser.add_argument("--steps", type=int, help="of each training, instead of the preset's")
    parser.add_argument("--results", type=Path, default=RESULTS, help="results file")
    given = parser.parse_args(arguments)
    device = choose_device("auto")
    whole = preset_here(PRESET, device)
    short = preset_here(PRESET, device, steps=given.steps)
    report: dict[str, Any] = {"benchmark": "examples", "clips": {}}
    if given.results.is_file():
        report = json.loads(given.results.read_text(encoding="utf-8"))
    for name in given.clips:
        report["clips"][name] = measure(name, whole, short)
        report |= {"preset": PRESET, "machine": machine()}
        write_json(given.results, report)


if __name__ == "__main__":
    main()
