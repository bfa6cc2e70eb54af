"""Which back-projection should the CPU runtime use? Correctness first, then time per output frame.

    python -m benchmarks.backprojection      # prints a table, writes results/backprojection.json

Candidates: NumPy, ONNX Runtime and numba; the first two both as the four steps of
`core.backproject` and as the one low-resolution operator that these amount to
(`runtime/tap_plan.py`), which is what numba runs.

numba won, and why: the work is a few multiply-adds per voxel, so what counts is how often a voxel
travels to memory. A graph of Resize, Sub and Mean nodes writes every intermediate volume in full,
whichever formula it states; a fused loop keeps a band of rows in the cache, reads the input once
and writes the output once. The figures are in the results file. Candidates take turns within each
round, so that another job on the machine disturbs all of them alike; all allocate what they
return, except "numba, out given", which fills one array again and again as a stream may.
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
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.machine import ROOT, machine, usable_cores
from tsr.core import backproject as reference
from tsr.core.ladder import Climb, ScaleLadder, Step
from tsr.core.rect import rect_downsample, rect_expand
from tsr.core.resize import apply_taps, cubic_taps, resize_hw
from tsr.core.volume import Volume
from tsr.runtime import cpu_kernels

RESULTS = ROOT / "benchmarks" / "results" / "backprojection.json"
TOLERANCE = 5e-6
"""Largest difference from the reference: rounding of some twenty terms, in another order."""

Apply = Callable[[Volume, Volume], Volume]
"""(low or guess, ltr) → refined volume."""
Prepare = Callable[[Volume, Volume], Apply]
"""What is done once per shape; gets an example of both arguments."""


# --- NumPy ----------------------------------------------------------------------------------------


def numpy_shift(guess: Volume, ltr: Volume) -> Volume:
    """Temporal back-projection of `core`, clipped."""
    return np.clip(reference.backproject_t(guess, ltr), 0, 1)


def numpy_rearranged(low: Volume, ltr: Volume) -> Volume:
    """clip(ltr + U(2 d - D U d)), step by step."""
    factor, (height, width) = low.shape[1] // ltr.shape[1], ltr.shape[2:]
    d = low - rect_expand(rect_downsample(low, factor), factor)
    again = resize_hw(resize_hw(d, height, width), *low.shape[2:])
    detail = resize_hw(2 * d - again, height, width)
    return np.clip(rect_expand(ltr, factor) + detail, 0, 1)


# --- ONNX Runtime: frames of a group lie on axis 1, channels and groups on axis 0 -----------------


class Graph:
    """An ONNX graph with inputs `first` and `ltr`, built node by node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, value: Any) -> str:
        """Add a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def resize(self, volume: str, scale: float) -> str:
        """Bicubic as in `core.resize`."""
        scales = self.constant(np.array([1, 1, scale, scale], np.float32))
        keys = {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}
        return self.node("Resize", volume, "", scales, antialias=int(scale < 1), **keys)

    def mean(self, volume: str) -> str:
        """Mean of each group."""
        return self.node("ReduceMean", volume, self.constant(np.array([1])), keepdims=1)

    def shifted(self, guess: str) -> str:
        """Temporal back-projection against `ltr`."""
        return self.node("Sub", guess, self.node("Sub", self.mean(guess), "ltr"))

    def runner(self, volume: str, first: Volume, ltr: Volume) -> Apply:
        """Clip `volume` and run the graph on all usable cores."""
        result = self.node("Clip", volume, *map(self.constant, np.float32([0, 1])))
        channels, groups = ltr.shape[:2]
        grouped = (channels * groups, first.shape[1] // groups, *first.shape[2:])
        shapes = {"first": grouped, "ltr": (channels * groups, 1, *ltr.shape[2:])}
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
        outputs = [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "backproject", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

        def run(first: Volume, ltr: Volume) -> Volume:
            feed = {"first": first.reshape(shapes["first"]), "ltr": ltr.reshape(shapes["ltr"])}
            refined: Volume = session.run(None, feed)[0]
            return refined.reshape(channels, -1, *ltr.shape[2:])

        return run


def onnx_steps(low: Volume, ltr: Volume) -> Apply:
    """The four steps as a graph."""
    g = Graph()
    guess = g.shifted(g.resize("first", 2.0))
    error = g.node("Sub", g.resize(guess, 0.5), "first")
    guess = g.shifted(g.node("Sub", guess, g.resize(error, 2.0)))
    return g.runner(guess, low, ltr)


def onnx_rearranged(low: Volume, ltr: Volume) -> Apply:
    """The one low-resolution operator as a graph."""
    g = Graph()
    d = g.node("Sub", "first", g.mean("first"))
    again = g.resize(g.resize(d, 2.0), 0.5)
    detail = g.resize(g.node("Sub", g.node("Add", d, d), again), 2.0)
    return g.runner(g.node("Add", "ltr", detail), low, ltr)


def onnx_shift(guess: Volume, ltr: Volume) -> Apply:
    """Temporal back-projection as a graph."""
    g = Graph()
    return g.runner(g.shifted("first"), guess, ltr)


# --- numba ----------------------------------------------------------------------------------------


def numba_into_one_array(low: Volume, ltr: Volume) -> Apply:
    """The runtime's own, filling one array again and again."""
    out = np.zeros((*low.shape[:2], *ltr.shape[2:]), np.float32)
    return lambda low, ltr: cpu_kernels.backproject(low, ltr, out)


def numba_shift(guess: Volume, ltr: Volume) -> Apply:
    """In place, as in the runtime; repeating it on its own result costs the same."""
    return cpu_kernels.backproject_t


def as_is(function: Apply) -> Prepare:
    """Nothing to prepare."""
    return lambda first, ltr: function


CANDIDATES: dict[str, tuple[Prepare, Prepare]] = {
    "NumPy, four steps (core)": (as_is(reference.backproject), as_is(numpy_shift)),
    "NumPy, rearranged": (as_is(numpy_rearranged), as_is(numpy_shift)),
    "ONNX Runtime, four steps": (onnx_steps, onnx_shift),
    "ONNX Runtime, rearranged": (onnx_rearranged, onnx_shift),
    "numba": (as_is(cpu_kernels.backproject), numba_shift),
    "numba, out given": (numba_into_one_array, numba_shift),
}
"""Name → how to climb, how to back-project in time."""


# --- measurement ----------------------------------------------------------------------------------


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
    return dict(zip(("first", "again"), (float(run.stdout) for run in runs), strict=True))


def quartiles(values: list[float]) -> dict[str, float]:
    """Median and quartiles, rounded for people."""
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 3), "q1": round(low, 3), "q3": round(high, 3)}


def main() -> None:
    """Check, measure, print, write."""
    parser = argparse.ArgumentParser(description="Compare back-projections on the CPU.")
    parser.add_argument("--size", nargs=2, type=int, default=(720, 1280), metavar=("H", "W"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    height, width = arguments.size
    ladder, _ = ScaleLadder.for_size(height, width, 8)
    worst = check(ladder, height, width)
    times = measure(ladder, height, width, arguments.rounds)
    resampling = measure_resampling(ladder, height, width, arguments.rounds)
    candidates = {
        name: {
            "largest_difference": worst[name],
            "last_climb_ms": quartiles(steps[ladder.steps[-1]]),
            "ladder_ms": quartiles([sum(one) for one in zip(*steps.values(), strict=True)]),
        }
        for name, steps in times.items()
    }
    print(
        f"{width}×{height}, {ladder}; milliseconds per output frame, median of {arguments.rounds}"
    )
    print(
        f"\n| {'back-projection':26} | last climb | whole ladder | differs by |\n|---|---|---|---|"
    )
    for name, figures in candidates.items():
        last, whole = figures["last_climb_ms"]["median"], figures["ladder_ms"]["median"]
        print(f"| {name:26} | {last:10.2f} | {whole:12.2f} | {worst[name]:10.1e} |")
    print(f"\n| {'resampling':26} | NumPy (core) | numba |\n|---|---|---|")
    for job, figures in resampling.items():
        medians = [statistics.median(figures[name]) for name in ("NumPy (core)", "numba")]
        print(f"| {job:26} | {medians[0]:12.2f} | {medians[1]:5.2f} |")
    loading = import_seconds()
    print(f"\nimport: {loading['first']:.1f} s first, {loading['again']:.2f} s from the cache")
    report = {
        "unit": "ms per output frame",
        "size": [height, width],
        "ladder": str(ladder),
        "rounds": arguments.rounds,
        "candidates": candidates,
        "resampling": {j: {n: quartiles(v) for n, v in f.items()} for j, f in resampling.items()},
        "import_seconds": {name: round(value, 2) for name, value in loading.items()},
        "machine": machine(("numpy", "numba", "onnxruntime", "onnx")),
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
