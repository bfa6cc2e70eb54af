"""What do 8 bits cost against the truth? On every clip that bench-quality has done.

    make bench-quality QUALITY="--factors 8 --methods ours --presets fast"   # trains, runs in FP32
    python -m benchmarks.int8                                                # INT8, beside that

The network, its FP32 result and the slow video are those that bench-quality left in
out/bench-quality; the INT8 file is calibrated on the slow video, as a user does it.
"""

import argparse
from pathlib import Path
from typing import Any

from benchmarks.cpu import mean_psnr
from benchmarks.machine import ROOT, machine
from benchmarks.methods import Job, Ours
from benchmarks.quality import DATA, OUT, clip_folders
from benchmarks.stages import run_stage, write_json

RESULTS = ROOT / "benchmarks" / "results" / "int8.json"
FACTOR = 8
BAR_DB = 0.05
"""Most that INT8 may lose against the truth."""


def measure(job: Job, ours: str) -> dict[str, Any] | None:
    """One clip; None if bench-quality has not done it."""
    full = job.fast(ours)
    model = full.with_name("model.safetensors")
    if not (full.is_file() and model.is_file()):
        return None
    graph, fast = full.with_name("int8.onnx"), full.with_name("fast-int8.mkv")
    settings = {**job.settings, "model": model.stat().st_mtime}
    export = run_stage(
        "export-int8", full.parent, "tsr.export.cli",
        [str(model), "--int8", str(job.slow), "-o", str(graph), "--overwrite", "--json"],
        settings=settings, outputs=[graph],
    )  # fmt: skip
    run = run_stage(
        "run-int8", full.parent, "tsr.runtime.cli",
        [str(graph), str(job.slow), "-o", str(fast), "--device", "cpu", "--encoder", "ffv1",
         "--overwrite", "--json"],
        settings=settings | {"export": export["wall_seconds"]}, outputs=[fast],
    )  # fmt: skip
    psnr = {"fp32": mean_psnr(full, job.truth), "int8": mean_psnr(fast, job.truth)}
    return {
        "psnr": psnr,
        "loss_db": round(psnr["fp32"] - psnr["int8"], 3),
        "calibration": export["result"]["calibration"],
        "calibration_seconds": export["wall_seconds"],
        "seconds_per_frame": round(run["result"]["seconds"] / run["result"]["frames"], 4),
        "backend": run["result"]["backend"],
    }


def main() -> None:
    """Measure clip by clip, print, write results/int8.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", default="", help="names, separated by commas; all when left out")
    parser.add_argument("--data", type=Path, default=DATA, help="folders of gt.mkv")
    parser.add_argument("--out", type=Path, default=OUT, help="where bench-quality worked")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    report: dict[str, Any] = {"benchmark": "int8", "bar_db": BAR_DB, "clips": {}}
    for folder in clip_folders(given.data, [name for name in given.clips.split(",") if name]):
        work = given.out / folder.name / f"x{FACTOR}"
        job = Job(truth=folder / "gt.mkv", folder=work, factor=FACTOR)
        found = measure(job, Ours().name)
        if found is None:
            print(f"{folder.name}: left out, bench-quality has not done it")
            continue
        report["clips"][folder.name] = found
        report["machine"] = machine()
        write_json(given.results, report)
        verdict = "within" if found["loss_db"] <= BAR_DB else "OVER"
        print(f"{folder.name}: loses {found['loss_db']:+.3f} dB, {verdict} the bar of {BAR_DB} dB")


if __name__ == "__main__":
    main()
