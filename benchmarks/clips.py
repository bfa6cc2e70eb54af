"""What is gained on real clips, and what does it cost? From a slow video to a fast one, ×8.

    python -m benchmarks.clips                          # all clips of ../shared/data, preset fast
    python -m benchmarks.clips --clips cup_turn --preset balanced

For each clip: degrade its truth by 8 (lossless), train, export, run ×8 to a lossless file, and
score it beside plain interpolations. The stages are the commands that a user runs, each in its own
process. Interrupted, the same command goes on; --fresh starts over. After each clip the figures so
far are in results/clips-PRESET.json.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, machine
from benchmarks.stages import run_stage, write_json
from tsr.evaluation.compare import LPIPS_EVERY
from tsr.trainer.config import PRESETS
from tsr.trainer.precision import preset_here
from tsr.trainer.train import choose_device

DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results"
FACTOR = 8
ORDER = ("cup_turn", "coffee_pour", "fly_pair_150fps", "cattoy")
"""The first clips; any others of the data folder follow by name."""
METHODS = {
    "nearest": "nearest",
    "linear": "linear",
    "cubic_bp": "cubic + temporal back-projection",
    "ours": "ours",
}


def measure_clip(truth: Path, folder: Path, preset: str, changes: dict[str, Any]) -> dict[str, Any]:
    """All stages of one clip; their figures for the results file."""
    folder.mkdir(parents=True, exist_ok=True)
    slow, fast = folder / "slow.mkv", folder / "fast.mkv"
    model, graph = folder / "model.safetensors", folder / "model.onnx"
    given: dict[str, Any] = {"truth": _identity(truth), "factor": FACTOR}
    degrade = run_stage(
        "degrade",
        folder,
        "tsr.evaluation.degrade_cli",
        _words(truth, "-o", slow, "--factor", FACTOR, "--overwrite", "--json"),
        settings=given,
        outputs=[slow],
    )
    given = given | {"train": preset_here(preset, choose_device("auto"), **changes).to_dict()}  # type: ignore[arg-type]
    train = run_stage(
        "train",
        folder,
        "tsr.trainer.cli",
        _words(slow, "-o", model, "--preset", preset, *_options(changes), *_resume(model, given)),
        settings=given,
        outputs=[model],
    )
    export = run_stage(
        "export",
        folder,
        "tsr.export.cli",
        _words(model, "-o", graph, "--overwrite", "--json"),
        settings=given,
        outputs=[graph],
    )
    run = run_stage(
        "run",
        folder,
        "tsr.runtime.cli",
        _words(graph, slow, "-o", fast, "--encoder", "ffv1", "--overwrite", "--json"),
        settings=given,
        outputs=[fast],
    )
    score = run_stage(
        "score",
        folder,
        "benchmarks.clip_scores",
        _words(slow, fast, truth, "--factor", FACTOR),
        settings=given | {"lpips_every": LPIPS_EVERY},
    )
    stages = {"degrade": degrade, "train": train, "export": export, "run": run, "score": score}
    files = {"slow": slow, "model": model, "onnx": graph, "fast": fast}
    return figures(stages, {name: path.stat().st_size for name, path in files.items()})


def figures(stages: dict[str, dict[str, Any]], sizes: dict[str, int]) -> dict[str, Any]:
    """What the results file says of a clip, from what its stages returned."""
    result = {name: stage["result"] for name, stage in stages.items()}
    train, run, scores = result["train"], result["run"], result["score"]["methods"]
    video = result["export"]["video"]
    frames = run["frames"]
    return {
        "size": [video["width"], video["height"]],
        "frames": [video["num_frames"], frames],
        "ladder": run["ladder"],
        "scores": scores,
        "lpips_every": result["score"]["lpips_every"],
        "gain_db": round(scores["ours"]["psnr"] - scores["linear"]["psnr"], 3),
        "training": {
            "seconds": round(train["seconds"], 1),
            "steps": train["steps"],
            "validation_psnr": round(train["psnr"], 3),
            "validation_psnr_cubic": round(train["cubic"], 3),
        },
        "run": {
            "seconds_per_frame": round(run["seconds"] / frames, 4),
            "stages_per_frame": {k: round(v / frames, 4) for k, v in run["stages"].items()},
            "backend": run["backend"],
        },
        "wall_seconds": {name: stage["wall_seconds"] for name, stage in stages.items()},
        "peak_mib": {name: stage["peak_mib"] for name, stage in stages.items()},
        "load": {name: stage["load"] for name, stage in stages.items()},
        "commits": sorted({stage["commit"] for stage in stages.values()}),
        "bytes": sizes,
    }


def table(report: dict[str, Any]) -> str:
    """The figures for people."""
    lines = []
    for name, clip in report["clips"].items():
        width, height = clip["size"]
        lines += [f"{name} {width}×{height}, {clip['frames'][0]} → {clip['frames'][1]} frames"]
        lines += [f"  {'':34}PSNR dB  of mean error    SSIM   LPIPS"]
        for method, title in METHODS.items():
            row = clip["scores"][method]
            lpips = f"{row['lpips']:8.4f}" if "lpips" in row else "       -"
            psnrs = f"{row['psnr']:7.2f}  {row['psnr_mean_error']:13.2f}"
            lines += [f"  {title:34}{psnrs} {row['ssim']:7.4f}{lpips}"]
        train, run = clip["training"], clip["run"]
        parts = ", ".join(f"{k} {v:.3f}" for k, v in run["stages_per_frame"].items())
        lines += [
            f"  gain over linear {clip['gain_db']:+.2f} dB",
            f"  training {train['seconds']:.0f} s, {train['steps']} steps, validation "
            f"{train['validation_psnr']:.2f} dB (cubic {train['validation_psnr_cubic']:.2f})",
            f"  run {run['seconds_per_frame']:.3f} s per output frame ({parts})",
            "  peak memory "
            + ", ".join(f"{stage} {mib} MiB" for stage, mib in clip["peak_mib"].items()),
        ]
    return "\n".join(lines)


def clip_folders(data: Path, wanted: list[str]) -> list[Path]:
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


def _identity(path: Path) -> dict[str, Any]:
    """What tells one file from another without reading it."""
    return {"name": f"{path.parent.name}/{path.name}", "bytes": path.stat().st_size}


def _words(*values: Any) -> list[str]:
    return [str(value) for value in values]


def _options(changes: dict[str, Any]) -> list[str]:
    return [word for name, value in changes.items() for word in (f"--{name}", str(value))]


def _resume(model: Path, settings: dict[str, Any]) -> list[str]:
    """Flags that go on with an interrupted training of the same settings, or start over."""
    began, state = model.with_name("train.began.json"), model.with_suffix(".resume.safetensors")
    if began.is_file() and json.loads(began.read_text()) == settings and state.is_file():
        return ["--resume", "--json"]
    state.unlink(missing_ok=True)
    write_json(began, settings)
    return ["--overwrite", "--json"]


def main() -> None:
    """Measure clip by clip; write after each; print."""
    parser = argparse.ArgumentParser(description="Quality and cost on real clips, ×8.")
    parser.add_argument("--clips", default="", help="names, separated by commas; all when left out")
    parser.add_argument("--preset", choices=[*PRESETS], default="fast")
    parser.add_argument("--steps", type=int, help="instead of the preset's, to try things out")
    parser.add_argument("--channels", type=int, help="instead of the preset's, to try things out")
    parser.add_argument("--data", type=Path, default=DATA, help="folders of gt.mkv")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench-clips")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file")
    parser.add_argument("--fresh", action="store_true", help="forget what was done before")
    given = parser.parse_args()
    changes = {k: v for k in ("steps", "channels") if (v := getattr(given, k)) is not None}
    name = "-".join([given.preset, *(f"{key}{value}" for key, value in changes.items())])
    results = given.results / f"clips-{name}.json"
    # Clips measured in an earlier call stay, so that one can be measured again alone.
    clips = {}
    if results.is_file() and not given.fresh:
        clips = json.loads(results.read_text(encoding="utf-8"))["clips"]
    for folder in clip_folders(given.data, [c for c in given.clips.split(",") if c]):
        work = given.out / name / folder.name
        if given.fresh:
            shutil.rmtree(work, ignore_errors=True)
        clips[folder.name] = measure_clip(folder / "gt.mkv", work, given.preset, changes)
        report = {
            "benchmark": "clips",
            "factor": FACTOR,
            "preset": name,
            "train": preset_here(given.preset, choose_device("auto"), **changes).to_dict(),
            "clips": clips,
            "machine": machine(),
        }
        write_json(results, report)
        print(table(report | {"clips": {folder.name: clips[folder.name]}}), flush=True)


if __name__ == "__main__":
    main()
