"""Who gets motion right that the slow video shows wrongly? Rendered scenes with exact truth.

    python -m benchmarks.aliasing
    python -m benchmarks.aliasing --scenes wheel_slower --methods linear,ours

Each scene of `evaluation.aliasing` is rendered, degraded by 8, and made fast again by every method,
by the stages and the cache of the quality benchmark. Direction and speed of each result are
measured from its pixels at full speed. The figures go to results/aliasing.json, a picture to
out/bench-aliasing/sheet.png.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.aliasing_sheet import write_sheet
from benchmarks.machine import ROOT, commit, machine
from benchmarks.method_options import add_method_options, chosen_methods, names
from benchmarks.methods import Job, Ours, degrade, make, name_of
from benchmarks.stages import write_json
from tsr.core.clip_io import ClipReader
from tsr.core.errors import TsrError
from tsr.core.volume import Volume
from tsr.evaluation.aliasing import (
    FACTOR,
    SIDE,
    AliasScene,
    measure,
    scenes,
    verdict,
)
from tsr.evaluation.scenes import write_scene

OUT = ROOT / "out" / "bench-aliasing"
RESULTS = ROOT / "benchmarks" / "results" / "aliasing.json"


def render(chosen: AliasScene, truth: Path) -> None:
    """Write a scene as a fast camera sees it."""
    truth.parent.mkdir(parents=True, exist_ok=True)
    write_scene(
        chosen.scene,
        truth,
        num_frames=chosen.input_frames * FACTOR,
        height=SIDE,
        width=SIDE,
        encoder="ffv1",
    )


def measure_scene(
    name: str, chosen: AliasScene, methods: Sequence[str | Ours], out: Path
) -> tuple[dict[str, Any], dict[str, Volume]]:
    """All methods on one scene: figures by method, and each video's part at full speed."""
    truth = out / name / "gt.mkv"
    render(chosen, truth)
    job = Job(truth=truth, folder=out / name / f"x{FACTOR}", factor=FACTOR)
    degrade(job)
    part = chosen.full_speed
    shown = {"truth": _at_full_speed(job, "truth", part)}
    slow = np.stack(list(islice(ClipReader(job.slow), part.start, part.stop)), axis=1)
    found = {
        "truth": _figures(chosen, shown["truth"], shown["truth"], FACTOR),
        "slow": _figures(chosen, slow, shown["truth"], 1),
    }
    for method in methods:
        make(job, method)
        label = name_of(method)
        shown[label] = _at_full_speed(job, label, part)
        found[label] = _figures(chosen, shown[label], shown["truth"], FACTOR)
    return found, shown


def _at_full_speed(job: Job, method: str, part: slice) -> Volume:
    # One frame more: as many steps as frames, each jump from one input frame to the next included.
    frames = islice(job.frames(method), part.start * FACTOR, part.stop * FACTOR + 1)
    return np.stack(list(frames), axis=1)


def _figures(chosen: AliasScene, video: Volume, truth: Volume, rate: int) -> dict[str, Any]:
    motion = measure(chosen.scene, video, truth, rate)
    rounded = {name: round(value, 3) for name, value in asdict(motion).items()}
    return {**rounded, "verdict": verdict(motion, chosen.true_speed)}


def describe(chosen: AliasScene) -> dict[str, Any]:
    """What the results file says of a scene itself."""
    return {
        "title": chosen.title,
        "true_speed": chosen.true_speed,
        "apparent_speed": round(chosen.apparent_speed, 3),
        "aliased": chosen.aliased,
        "slower": list(chosen.slower),
        "input_frames": chosen.input_frames,
        "holds_evidence": chosen.holds_evidence,
    }


def summary(title: str, scene: dict[str, Any]) -> str:
    """One scene for people."""
    lines = [f"{title}: {scene['title']} ({scene['true_speed']:+.2f} periods per input frame)"]
    for method, found in scene["methods"].items():
        lines.append(
            f"  {method:16}{found['speed']:+7.2f}  {100 * found['right_way']:4.0f} % of steps the "
            f"right way  contrast {found['contrast']:.2f}  {found['verdict']}"
        )
    return "\n".join(lines)


def measure_all(
    chosen: dict[str, AliasScene], methods: Sequence[str | Ours], given: argparse.Namespace
) -> None:
    """Scene by scene; the results file is kept up to date and keeps what earlier calls measured."""
    report: dict[str, Any] = {"benchmark": "aliasing", "scenes": {}}
    if given.results.is_file():
        report = json.loads(given.results.read_text(encoding="utf-8"))
    videos = {}
    for name, scene in chosen.items():
        found, videos[name] = measure_scene(name, scene, methods, given.out)
        earlier = report["scenes"].get(name, {})
        entry = describe(scene) | {
            "methods": earlier.get("methods", {}) | found,
            "commits": sorted({*earlier.get("commits", []), commit()}),
        }
        report["scenes"][name] = entry
        report["machine"] = machine()
        write_json(given.results, report)
        print(summary(name, entry), flush=True)
    sheet = given.out / "sheet.png"
    write_sheet(sheet, chosen, report["scenes"], videos)
    print(f"wrote {sheet}")


def main() -> None:
    """Measure the scenes asked for."""
    known = scenes()
    parser = argparse.ArgumentParser(description="Motion aliasing, measured.")
    parser.add_argument("--scenes", type=names, default=[*known], help=f"of {', '.join(known)}")
    add_method_options(parser)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--results", type=Path, default=RESULTS, help="results file")
    given = parser.parse_args()
    if missing := [name for name in given.scenes if name not in known]:
        raise SystemExit(f"no scenes {', '.join(missing)}; choose from {', '.join(known)}")
    try:
        measure_all({name: known[name] for name in given.scenes}, chosen_methods(given), given)
    except TsrError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
