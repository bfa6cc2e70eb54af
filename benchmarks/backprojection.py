"""Which back-projection should the CPU runtime use? Correctness first, then time per output frame.

    python -m benchmarks.backprojection      # prints a table, writes results/backprojection.json

Candidates: NumPy, ONNX Runtime and numba; the first two both as the four steps of
`core.backproject` and as the one low-resolution operator that these amount to
(`runtime/tap_plan.py`), which is what numba runs.

numba won, and why: the work is a few multiply-adds per voxel, so what counts is how often a voxel
travels to memory. NumPy, and a graph of Resize, Sub and Mean nodes, write every intermediate volume
in full, whichever formula they state; a fused loop keeps a band of rows in the cache, reads the
input once and writes the output once. ONNX Runtime's cubic Resize is slower still than NumPy's sums
of shifted arrays (compare the two rearranged rows). The figures are in the results file.

Candidates take turns within each round, so that another job on the machine disturbs all of them
alike. All allocate what they return, except "numba, out given", which fills one array again and
again as a stream may; the difference is the operating system handing out fresh pages.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.backprojection_candidates import CANDIDATES, numpy_shift
from benchmarks.machine import ROOT, machine
from tsr.core import backproject as reference
from tsr.core.ladder import Climb, ScaleLadder, Step
from tsr.core.resize import apply_taps, cubic_taps, resize_hw
from tsr.core.volume import Volume
from tsr.runtime import cpu_kernels

RESULTS = ROOT / "benchmarks" / "results" / "backprojection.json"
TOLERANCE = 5e-6
"""Largest difference from the reference: rounding of some twenty terms, in another order."""


def inputs(step: Step, height: int, width: int, seed: int = 0) -> tuple[Volume, Volume]:
    """Arguments of the back-projection in `step` for one input frame."""
    h, w, t = int(height * step.before.s), int(width * step.before.s), step.before.t
    shapes = (
        ((t, h, w), (1, 2 * h, 2 * w)) if isinstance(step, Climb) else ((2 * t, h, w), (t, h, w))
    )
    rng = np.random.default_rng(seed)
    first, ltr = (rng.random((3, *shape), np.float32) for shape in shapes)
    return first, ltr


def seconds(function: Callable[[], Any]) -> float:
    """Wall clock of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def check(ladder: ScaleLadder, height: int, width: int) -> dict[str, float]:
    """Largest difference of each candidate from `core` over all steps; raises beyond tolerance."""
    worst: dict[str, float] = {}
    for name, prepare in CANDIDATES.items():
        for step in ladder.steps:
            first, ltr = inputs(step, height, width)
            climbs = isinstance(step, Climb)
            expected = (reference.backproject if climbs else numpy_shift)(first, ltr)
            got = prepare[0 if climbs else 1](first, ltr)(first.copy(), ltr)
            worst[name] = max(worst.get(name, 0.0), float(np.abs(got - expected).max()))
        if worst[name] > TOLERANCE:
            raise SystemExit(f"{name} differs from core by {worst[name]:.1e}")
    return worst


def measure(
    ladder: ScaleLadder, height: int, width: int, rounds: int
) -> dict[str, dict[Step, list[float]]]:
    """Milliseconds of each step per output frame of the whole ladder, `rounds` of each."""
    times: dict[str, dict[Step, list[float]]] = {name: {} for name in CANDIDATES}
    for step in ladder.steps:
        first, ltr = inputs(step, height, width)
        column = 0 if isinstance(step, Climb) else 1
        ready = {name: prepare[column](first, ltr) for name, prepare in CANDIDATES.items()}
        for round_ in range(rounds + 1):  # the first one warms up
            for name, function in ready.items():
                took = seconds(partial(function, first, ltr))
                if round_:
                    times[name].setdefault(step, []).append(1e3 * took / ladder.factor)
    return times


def measure_resampling(
    ladder: ScaleLadder, height: int, width: int, rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Milliseconds per output frame of the pyramid of the input and of the network's inputs."""
    frames = 4
    video = np.random.default_rng(0).random((3, frames, height, width), np.float32)
    pyramid = [video]
    for _ in range(ladder.halvings):
        pyramid.append(cpu_kernels.halve_hw(pyramid[-1]))
    halvings = list(pairwise(pyramid))
    before = [step.before for step in ladder.steps if not isinstance(step, Climb)]
    slow = [np.repeat(pyramid[r.s.denominator.bit_length() - 1], r.t, axis=1) for r in before]
    taps = [cubic_taps(s.shape[1], 2 * s.shape[1]) for s in slow]
    interpolations = list(zip(slow, taps, strict=True))
    jobs: dict[str, dict[str, Callable[[], Any]]] = {
        "pyramid": {
            "NumPy (core)": lambda: [resize_hw(v, *small.shape[2:]) for v, small in halvings],
            "numba": lambda: [cpu_kernels.halve_hw(v) for v, _ in halvings],
        },
        "network inputs": {
            "NumPy (core)": lambda: [apply_taps(v, t, 1) for v, t in interpolations],
            "numba": lambda: [cpu_kernels.upsample_t(v, t) for v, t in interpolations],
        },
    }
    times: dict[str, dict[str, list[float]]] = {}
    for job, candidates in jobs.items():
        for round_ in range(rounds + 1):
            for name, function in candidates.items():
                took = 1e3 * seconds(function) / (frames * ladder.factor)
                if round_:
                    times.setdefault(job, {}).setdefault(name, []).append(took)
    return times


def import_seconds() -> dict[str, float]:
    """Seconds to import the kernels with an empty and with a filled cache, in fresh processes."""
    script = (
        "import time, numpy; t = time.perf_counter(); import tsr.runtime.cpu_kernels; "
        "print(time.perf_counter() - t)"
    )
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        runs = [
            subprocess.run(
                [sys.executable, "-c", script], env=environment, check=True, capture_output=True
            )
            for _ in range(2)
        ]
    first, again = (round(float(run.stdout), 2) for run in runs)
    return {"first": first, "again": again}


def quartiles(values: list[float]) -> dict[str, float]:
    """Median and quartiles, rounded for people."""
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 3), "q1": round(low, 3), "q3": round(high, 3)}


def results(height: int, width: int, rounds: int) -> dict[str, Any]:
    """Check, then measure; the content of the results file."""
    ladder, _ = ScaleLadder.for_size(height, width, 8)
    worst = check(ladder, height, width)
    times = measure(ladder, height, width, rounds)
    resampling = measure_resampling(ladder, height, width, rounds)
    return {
        "unit": "ms per output frame",
        "size": [height, width],
        "ladder": str(ladder),
        "rounds": rounds,
        "candidates": {
            name: {
                "largest_difference": worst[name],
                "last_step_ms": quartiles(steps[ladder.steps[-1]]),
                "ladder_ms": quartiles([sum(one) for one in zip(*steps.values(), strict=True)]),
            }
            for name, steps in times.items()
        },
        "resampling": {j: {n: quartiles(v) for n, v in f.items()} for j, f in resampling.items()},
        "import_seconds": import_seconds(),
        "machine": machine(("numpy", "numba", "onnxruntime", "onnx")),
    }


def table(report: dict[str, Any]) -> str:
    """The medians for people."""
    height, width = report["size"]
    lines = [
        f"{width}×{height}, {report['ladder']}",
        f"{report['unit']}, medians of {report['rounds']}, load {report['machine']['load']}",
        "",
        f"| {'back-projection':26} | last step  | whole ladder | differs by |",
        "| --- | --- | --- | --- |",
    ]
    for name, figures in report["candidates"].items():
        last, whole = figures["last_step_ms"]["median"], figures["ladder_ms"]["median"]
        differs = figures["largest_difference"]
        lines.append(f"| {name:26} | {last:10.2f} | {whole:12.2f} | {differs:10.1e} |")
    lines += ["", f"| {'resampling':26} | NumPy (core) | numba |", "| --- | --- | --- |"]
    for job, figures in report["resampling"].items():
        slow, fast = figures["NumPy (core)"]["median"], figures["numba"]["median"]
        lines.append(f"| {job:26} | {slow:12.2f} | {fast:5.2f} |")
    loading = report["import_seconds"]
    lines += ["", f"import: {loading['first']} s first, {loading['again']} s from the cache"]
    return "\n".join(lines)


def main() -> None:
    """Check, measure, write, print."""
    parser = argparse.ArgumentParser(description="Compare back-projections on the CPU.")
    parser.add_argument("--size", nargs=2, type=int, default=(720, 1280), metavar=("H", "W"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    height, width = arguments.size
    report = results(height, width, arguments.rounds)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    arguments.output.write_text(text, encoding="utf-8")
    print(table(report))


if __name__ == "__main__":
    main()
