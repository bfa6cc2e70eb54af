"""How good is a fast video, by whatever method, on real clips, and what does ours cost?

    python -m benchmarks.quality                                   # every clip, ×8, ×4 and ×2
    python -m benchmarks.quality --clips cup_turn --factors 8 --methods linear,rife,ours
    python -m benchmarks.quality --presets fast

Ours is measured in each preset; `paper` on a GPU alone, unless it is asked for. Each truth is
degraded by the factor (full exposure, lossless), and every method makes the fast video from that.
Each stage is a process of its own and done once: interrupted, the same command goes on; --fresh
starts over. After each method the figures so far are in results/quality.json, at the end a contact
sheet per factor is in out/bench-quality.
"""

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clip_scores import measures
from benchmarks.contact_sheet import write_sheet
from benchmarks.machine import ROOT, machine
from benchmarks.method_options import add_method_options, chosen_methods, names, presets_here
from benchmarks.methods import Job, Ours, Stage, degrade, make, name_of, score
from benchmarks.quality_md import scores_table
from benchmarks.stages import write_json
from tsr.core.clip_io import probe
from tsr.core.errors import TsrError
from tsr.core.ladder import FACTORS

DATA = ROOT.parent / "shared" / "data"
OUT = ROOT / "out" / "bench-quality"
RESULTS = ROOT / "benchmarks" / "results" / "quality.json"
ORDER = ("cup_turn", "coffee_pour", "fly_pair_150fps", "cattoy")
"""The first clips; any others of the data folder follow by name."""

Report = dict[str, Any]


def measure(job: Job, method: str | Ours) -> dict[str, Any]:
    """Make and score one method's video; what the results file says of it."""
    stages, settings = make(job, method)
    scored = score(job, name_of(method), settings, measures())
    result = figures(stages, scored)
    if isinstance(method, Ours):
        folder = job.fast(method.name).parent
        result["bytes"] = {
            "model": (folder / "model.safetensors").stat().st_size,
            "onnx": (folder / "model.onnx").stat().st_size,
        }
    return result


def figures(stages: dict[str, Stage], scored: Stage) -> dict[str, Any]:
    """Scores, and costs where the method has stages of its own."""
    frames = scored["result"]["frames"]
    found = {
        "scores": scored["result"]["scores"],
        "commits": sorted({stage["commit"] for stage in (*stages.values(), scored)}),
    }
    if not stages:
        return found
    found["peak_mib"] = {name: stage["peak_mib"] for name, stage in stages.items()}
    found["load"] = {name: stage["load"] for name, stage in stages.items()}
    result = {name: stage["result"] for name, stage in stages.items()}
    made = result.get("run") or result["interpolate"]
    found["run"] = {"seconds_per_frame": round(made["seconds"] / frames, 4)}
    if "train" in stages:
        train, run = result["train"], result["run"]
        found["training"] = {
            "seconds": round(train["seconds"], 1),
            "steps": train["steps"],
            "validation_psnr": round(train["psnr"], 3),
            "validation_psnr_cubic": round(train["cubic"], 3),
        }
        per_frame = {name: round(value / frames, 4) for name, value in run["stages"].items()}
        found["run"] |= {
            "stages_per_frame": per_frame,
            "backend": run["backend"],
            "ladder": run["ladder"],
        }
    return found


def clip_folders(data: Path, wanted: Sequence[str]) -> list[Path]:
    """The clips to measure, in order.

    Raises:
        SystemExit: there is no such clip.
    """
    known = {path.parent.name: path.parent for path in sorted(data.glob("*/gt.mkv"))}
    names = wanted or [*(n for n in ORDER if n in known), *(n for n in known if n not in ORDER)]
    missing = [name for name in names if name not in known]
    if missing or not names:
        raise SystemExit(f"no clips {', '.join(missing)} in {data}; it has {', '.join(known)}")
    return [known[name] for name in names]


def load_report(path: Path, *, fresh: bool) -> Report:
    """What earlier calls measured, which stays, so that one clip or method can be done alone."""
    if path.is_file() and not fresh:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    return {"benchmark": "quality", "factors": {}}


def measure_clip(
    job: Job, methods: Sequence[str | Ours], clip: dict[str, Any], save: Callable[[], None]
) -> None:
    """All methods on one truth at one factor, whose slow video is there, entered into `clip` and
    saved one by one."""
    info = probe(job.slow)
    clip["size"] = [info.width, info.height]
    clip["frames"] = [info.num_frames, info.num_frames * job.factor]
    for method in methods:
        clip["methods"][name_of(method)] = measure(job, method)
        save()


def measure_all(
    folders: Sequence[Path], methods: Sequence[str | Ours], given: argparse.Namespace
) -> None:
    """Every clip by every method at every factor, the results file kept up to date."""
    report = load_report(given.results, fresh=given.fresh)

    def save() -> None:
        report["lpips_every"] = measures()["lpips_every"]
        report["machine"] = machine()
        write_json(given.results, report)

    for factor in given.factors:
        clips = report["factors"].setdefault(str(factor), {})
        jobs = {}
        for folder in folders:
            work = given.out / folder.name / f"x{factor}"
            if given.fresh:
                shutil.rmtree(work, ignore_errors=True)
            job = jobs[folder.name] = Job(truth=folder / "gt.mkv", folder=work, factor=factor)
            clip = clips.setdefault(folder.name, {"methods": {}})
            degrade(job)
            measure_clip(job, methods, clip, save)
            print(scores_table({folder.name: clip}), flush=True)
        sheet = given.out / f"sheet_x{factor}.png"
        psnrs = {
            name: {
                method: values
                for method in clips[name]["methods"]
                if (values := job.frame_psnrs(method))
            }
            for name, job in jobs.items()
        }
        write_sheet(sheet, jobs, psnrs)
        print(f"wrote {sheet}", flush=True)


def _numbers(text: str) -> list[int]:
    values = [int(word) for word in text.split(",") if word.isdigit()]
    if not values or any(value not in FACTORS for value in values):
        raise argparse.ArgumentTypeError(f"expected some of {FACTORS}, found {text!r}")
    return values


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; write after each method; print after each clip."""
    parser = argparse.ArgumentParser(description="Quality on real clips, by every method.")
    parser.add_argument("--clips", type=names, default=[], help="names; all when left out")
    parser.add_argument("--factors", type=_numbers, default=[8, 4, 2], help="of 8,4,2")
    add_method_options(parser)
    parser.set_defaults(presets=presets_here())
    parser.add_argument("--data", type=Path, default=DATA, help="folders of gt.mkv")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--results", type=Path, default=RESULTS, help="results file")
    parser.add_argument("--fresh", action="store_true", help="forget what was done before")
    given = parser.parse_args(arguments)
    try:
        measure_all(clip_folders(given.data, given.clips), chosen_methods(given), given)
    except TsrError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
