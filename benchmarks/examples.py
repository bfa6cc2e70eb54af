"""Which internal examples suit each video, and does `--examples auto` choose them (paper, Table 2)?

    python -m benchmarks.examples
    python -m benchmarks.examples --clips cup_turn,wheel_slower --kinds within,both

The clips of ../shared/data, the demo's scene and some of the aliasing benchmark's are degraded by
8. A network of the preset is trained on each video from what `auto` chooses, and one from each
other kind, as long as any training, and makes the video fast again, by the stages and the cache of
the quality benchmark. The figures go to results/examples.json, kind by kind with the commit of the
training; those of kinds that were not asked for stay.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from benchmarks import aliasing
from benchmarks.clip_scores import measures
from benchmarks.machine import ROOT, machine
from benchmarks.method_options import names
from benchmarks.methods import Job, Ours, degrade, make, score
from benchmarks.quality import DATA, ORDER
from benchmarks.quality import OUT as WORK
from benchmarks.stages import write_json
from tsr.evaluation.aliasing import scenes
from tsr.evaluation.demo_scene import (
    DEMO_FACTOR,
    DEMO_HEIGHT,
    DEMO_INPUT_FRAMES,
    DEMO_WIDTH,
    demo_scene,
)
from tsr.evaluation.scenes import write_scene
from tsr.trainer.config import FixedExamples, Preset
from tsr.trainer.network import load_model

RESULTS = ROOT / "benchmarks" / "results" / "examples.json"
PRESET: Preset = "fast"
FACTOR = 8
KINDS: tuple[FixedExamples, ...] = get_args(FixedExamples)
DEMO = "demo_scene"
ALIASED = ("wheel_slower", "stripes_slower", "wheel_twice")
"""Scenes of the aliasing benchmark whose videos hold the evidence."""


def job_of(name: str) -> Job:
    """A clip or a scene, degraded."""
    folder = WORK / name
    truth = DATA / name / "gt.mkv"
    if name == DEMO:
        truth = folder / "gt.mkv"
        _render_demo(truth)
    elif name in ALIASED:
        truth = folder / "gt.mkv"
        aliasing.render(scenes()[name], truth)
    job = Job(truth=truth, folder=folder / f"x{FACTOR}", factor=FACTOR)
    degrade(job)
    return job


def _render_demo(truth: Path) -> None:
    truth.parent.mkdir(parents=True, exist_ok=True)
    frames = DEMO_INPUT_FRAMES * DEMO_FACTOR
    write_scene(
        demo_scene(frames),
        truth,
        num_frames=frames,
        height=DEMO_HEIGHT,
        width=DEMO_WIDTH,
        encoder="ffv1",
    )


def trained(job: Job, changes: dict[str, Any]) -> tuple[float, dict[str, Any], str]:
    """What a training of the preset gives.

    Args:
        changes: settings instead of the preset's.

    Returns:
        PSNR in dB at `FACTOR`, mean over the frames; the model's settings; the training's commit.
    """
    ours = Ours(preset=PRESET, changes=changes)
    stages, settings = make(job, ours)
    scored = score(job, ours.name, settings, measures())
    _, card = load_model(job.fast(ours.name).with_name("model.safetensors"))
    return scored["result"]["scores"]["psnr"], card.settings, stages["train"]["commit"]


def measure(name: str, kinds: Sequence[str], changes: dict[str, Any]) -> dict[str, Any]:
    """A video's figures, by kind.

    Args:
        changes: settings instead of the preset's, to try things out.
    """
    job = job_of(name)
    _, settings = make(job, "cubic_bp")
    plain = score(job, "cubic_bp", settings, measures())
    psnrs, commits = {"none": plain["result"]["scores"]["psnr"]}, {"none": plain["commit"]}
    psnr, card, done_at = trained(job, changes)
    chosen = card["examples"]
    if chosen != "none":
        psnrs[chosen], commits[chosen] = psnr, done_at
    print(name, "auto:", chosen, card["choice"]["reason"], flush=True)
    for kind in kinds:
        if kind not in psnrs:  # what `auto` has chosen would be the same training
            psnrs[kind], _, commits[kind] = trained(job, {"examples": kind} | changes)
    print(name, ", ".join(f"{kind} {psnr:.2f} dB" for kind, psnr in psnrs.items()), flush=True)
    return {"psnr": psnrs, "commits": commits, "auto": card["choice"], "steps": card["steps"]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the videos asked for."""
    known = (*ORDER, DEMO, *ALIASED)
    parser = argparse.ArgumentParser(description="Which examples suit each video.")
    parser.add_argument("--clips", type=names, default=[*known], help=f"of {', '.join(known)}")
    parser.add_argument("--kinds", type=names, default=[*KINDS], help=f"of {', '.join(KINDS)}")
    parser.add_argument("--steps", type=int, help="instead of the preset's, to try things out")
    parser.add_argument("--results", type=Path, default=RESULTS, help="results file")
    given = parser.parse_args(arguments)
    for what, asked, there in (("clips", given.clips, known), ("kinds", given.kinds, KINDS)):
        if unknown := [word for word in asked if word not in there]:
            raise SystemExit(f"no {what} {', '.join(unknown)}; choose from {', '.join(there)}")
    changes = {} if given.steps is None else {"steps": given.steps}
    report: dict[str, Any] = {"benchmark": "examples", "clips": {}}
    if given.results.is_file():
        report = json.loads(given.results.read_text(encoding="utf-8"))
    for name in given.clips:
        found = measure(name, given.kinds, changes)
        earlier = report["clips"].get(name)
        if earlier is not None and earlier["steps"] == found["steps"]:
            for key in ("psnr", "commits"):
                found[key] = earlier[key] | found[key]
        report["clips"][name] = found
        report |= {"preset": PRESET, "machine": machine()}
        write_json(given.results, report)


if __name__ == "__main__":
    main()
