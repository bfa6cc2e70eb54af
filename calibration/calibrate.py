"""THE STORY of calibration: a video → windows of every rung → ranges → Q/DQ → the gate.

Quantised to the very video that it will serve, a network needs no margin for others: its
activations are measured where the video moves most, at every rung of the ladder, since one network
serves all of them (method-notes.md).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from tsr.calibration.collect import histograms
from tsr.calibration.cpu_form import with_folded_last_layer
from tsr.calibration.gate import MIN_PSNR, Gate, Judge
from tsr.calibration.qdq import FORMATS, Number, Target, inner_layers, quantised
from tsr.calibration.ranges import ESTIMATORS
from tsr.calibration.session import GraphNetwork
from tsr.core.clip_io import ClipInfo
from tsr.core.errors import ModelError
from tsr.core.ladder import ScaleLadder
from tsr.runtime.recording import record_windows

MIN_WORK = 0.5
"""Share of the inner layers' arithmetic that must stay narrow for the file to be worth having."""

STRETCHES = 4
"""Moments of the video at which activations are measured, spread over it."""

WINDOWS = 8
"""Windows per rung, the liveliest of those moments."""

Note = Callable[[str], None]
"""Told what was found, a line at a time."""


@dataclass(frozen=True)
class Calibrated:
    """A quantised graph, without a model card, and plain values on how it came about: estimators,
    layers, PSNR."""

    model: onnx.ModelProto
    report: dict[str, Any]


def calibrate(
    full: onnx.ModelProto,
    base: onnx.ModelProto,
    clip: Path | ClipInfo,
    ladder: ScaleLadder,
    *,
    target: Target,
    number: Number,
    min_psnr: float = MIN_PSNR,
    note: Note = lambda line: None,
) -> Calibrated:
    """Quantise a network for the video that it was trained on.

    Args:
        full: the exported FP32 graph, which measures and judges.
        base: the graph to quantise: `full` itself for a CPU, the FP16 one for TensorRT.
        clip: the video, or the info of a part of it.
        ladder: the one that the model will be run with.
        min_psnr: dB that the two results must have between them at the video's liveliest frame.

    Raises:
        ModelError: too few layers could be narrowed without showing; says the figures.
        ClipError: the video cannot be read.
    """
    network = GraphNetwork(full)
    recorded = record_windows(network, clip, ladder, frames=STRETCHES, keep=WINDOWS)
    windows = {rung: [window.volume for window in some] for rung, some in recorded.items()}
    every = [window for some in windows.values() for window in some]
    note(f"activations measured in {len(every)} windows of {len(windows)} rungs")
    found = histograms(full, every)
    ranges = {
        name: [estimate(histogram, FORMATS[target, number].top) for histogram in found]
        for name, estimate in ESTIMATORS.items()
    }
    maker = _Maker(base, target, number, ranges)
    judge = Judge(network, windows)
    report = _choose_estimator(maker, judge, note)
    return _pass_gate(maker, Gate(network, clip, ladder), judge, report, min_psnr, note)


@dataclass
class _Maker:
    """Makes quantised variants of one graph."""

    base: onnx.ModelProto
    target: Target
    number: Number
    ranges: dict[str, list[float]]
    estimator: str = ""

    def __post_init__(self) -> None:
        self.work = inner_layers(self.base.graph)
        if self.target == "cpu":
            self.base = with_folded_last_layer(self.base)

    def model(self, layers: Collection[int]) -> onnx.ModelProto:
        form = FORMATS[self.target, self.number]
        return quantised(self.base, self.ranges[self.estimator], layers, form)

    def network(self, model: onnx.ModelProto) -> GraphNetwork:
        return GraphNetwork(model, exact=self.target != "cpu")


def _choose_estimator(maker: _Maker, judge: Judge, note: Note) -> dict[str, Any]:
    """Let the maker take the estimator whose network agrees best with the full one."""
    rivals = {}
    for name in maker.ranges:
        maker.estimator = name
        rivals[name] = judge.agreement(maker.network(maker.model(maker.work)))
    maker.estimator = max(rivals, key=lambda name: rivals[name].psnr)
    figures = ", ".join(f"{name} {rival.psnr:.1f} dB" for name, rival in rivals.items())
    note(f"range estimators, PSNR against full precision: {figures}; took {maker.estimator}")
    return {
        "target": maker.target,
        "estimator": maker.estimator,
        "estimators": {name: rival.psnr for name, rival in rivals.items()},
        "by_rung": rivals[maker.estimator].by_rung,
    }


def _pass_gate(
    maker: _Maker, gate: Gate, judge: Judge, report: dict[str, Any], min_psnr: float, note: Note
) -> Calibrated:
    """Return layers to higher precision, those that cost most first, until the result is good."""
    layers, alone = list(maker.work), dict[int, float]()
    while True:
        model = maker.model(layers)
        reached = gate.psnr(maker.network(model))
        note(f"{maker.number} against full precision at the liveliest frame: {reached:.1f} dB")
        if reached >= min_psnr:
            return Calibrated(model, report | {"layers": layers, "psnr": round(reached, 2)})
        if not alone:
            for n in maker.work:
                alone[n] = judge.agreement(maker.network(maker.model([n]))).psnr
            note(", ".join(f"layer {n} alone {psnr:.1f} dB" for n, psnr in alone.items()))
            report["alone"] = {str(n): psnr for n, psnr in alone.items()}
        worst = min(layers, key=alone.__getitem__)
        layers = [n for n in layers if n != worst]
        if sum(map(maker.work.__getitem__, layers)) < MIN_WORK * sum(maker.work.values()):
            raise ModelError(_refusal(maker.number, reached, min_psnr, [*layers, worst]))
        note(f"layer {worst} returns to higher precision")


def _refusal(number: str, reached: float, min_psnr: float, layers: Sequence[int]) -> str:
    return (
        f"{number} shows too much in this video: {reached:.1f} dB against full precision at its "
        f"liveliest frame with only the layers {', '.join(map(str, sorted(layers)))} narrow, "
        f"at least {min_psnr:g} dB are asked for; leave out --{number}, or lower --min-psnr"
    )
