"""One network pass on this CPU: which form of graph, and which tile?

    python -m benchmarks.cpu_network                # 64 and 128 channels
    python -m benchmarks.cpu_network --widths 64 --rounds 5

Candidates take turns, round by round, so that a machine whose speed drifts treats them alike;
medians are kept. Weights are random: they do not change the time. Every candidate is first held
against the exported graph.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from benchmarks.cpu import LIBRARIES, matrix_products, voxel_flop
from benchmarks.graph_forms import lowered_to_2d
from benchmarks.machine import ROOT, machine
from benchmarks.stages import write_json
from tsr.calibration.collect import histograms
from tsr.calibration.cpu_form import with_folded_last_layer
from tsr.calibration.qdq import FORMATS, quantised
from tsr.core.metrics import psnr
from tsr.core.tiling import NETWORK_HALO
from tsr.core.volume import Volume
from tsr.export.to_onnx import traced_graph, written
from tsr.runtime.cpu_backend import TILE
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.openvino_network import OpenVinoNetwork
from tsr.trainer.network import TsrNetwork

RESULTS = ROOT / "benchmarks" / "results" / "network-cpu.json"
ENGINES = {"onnxruntime": OnnxNetwork, "openvino": OpenVinoNetwork}
TILES = ((8, 96, 160), (16, 48, 160), (16, 96, 160), (16, 120, 320), (32, 96, 160), (40, 120, 160))
"""(frames, rows, columns) of output per call."""

MIN_PSNR = {"fp32": 90.0, "int8": 40.0}
"""dB against the exported graph, on noise and random weights: what rounding may do there."""

Size = tuple[int, int, int]


def graphs(channels: int) -> dict[str, onnx.ModelProto]:
    """The forms that a network of this width can have in a file for CPUs."""
    network = TsrNetwork(channels)
    network.initialise(torch.Generator().manual_seed(0))
    full = traced_graph(network)
    ranges = [histogram.largest for histogram in histograms(full, [window((4, 24, 24))])]
    form, inner = FORMATS["cpu", "int8"], range(1, 7)
    return {
        "fp32": full,
        "fp32, 1×3×3 as 2D": lowered_to_2d(full),
        "fp32, last layer folded": with_folded_last_layer(full),
        "int8": quantised(full, ranges, inner, form),
        "int8, last layer folded": quantised(with_folded_last_layer(full), ranges, inner, form),
    }


def window(size: Size) -> Volume:
    """Noise around a tile of that size, halo included."""
    halo = (NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w)
    shape = [length + 2 * margin for length, margin in zip(size, halo, strict=True)]
    return np.random.default_rng(0).random((3, *shape), np.float32)


def files(forms: Mapping[str, onnx.ModelProto], channels: int, folder: Path) -> dict[str, Path]:
    """The graphs as files of ours, each with a card."""
    from fractions import Fraction

    from tsr.core.ladder import ScaleLadder
    from tsr.core.model_card import ModelCard, VideoStamp

    stamp = VideoStamp(name="-", sha256="-", width=0, height=0, num_frames=0, fps=Fraction(1))
    card = ModelCard(channels=channels, ladder=ScaleLadder(Fraction(1, 8), 8), video=stamp)
    paths = {}
    for number, (name, graph) in enumerate(forms.items()):
        paths[name] = folder / f"{channels}-{number}.onnx"
        with written(paths[name], graph, card):
            pass
    return paths


def medians(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each call, taken in turns after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number, name in itertools.product(range(rounds + 1), calls):
        started = time.perf_counter()
        calls[name]()
        if number:
            times[name].append(1e3 * (time.perf_counter() - started))
    return {name: round(statistics.median(values), 1) for name, values in times.items()}


def measure(channels: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Forms at the runtime's tile, then tiles of the best form."""
    paths = files(graphs(channels), channels, folder)
    networks = {
        f"{name}; {engine}": kind(path)
        for name, path in paths.items()
        for engine, kind in ENGINES.items()
    }
    small = window((4, 24, 24))
    exact = networks["fp32; onnxruntime"](small)
    for name, network in networks.items():
        if not psnr(network(small), exact) > MIN_PSNR[name[:4]]:
            raise SystemExit(f"{name} computes something else")
    tile = window(TILE)
    found = medians({name: lambda n=n: n(tile) for name, n in networks.items()}, rounds)
    forms = {name: _figures(value, TILE, channels) for name, value in found.items()}
    calls = {}
    for size, engine in itertools.product(TILES, ENGINES):
        network, given = networks[f"int8, last layer folded; {engine}"], window(size)
        calls[f"{'×'.join(map(str, size))}; {engine}"] = lambda n=network, g=given: n(g)
    sizes = {f"{'×'.join(map(str, size))}": size for size in TILES}
    tiles = {
        name: _figures(value, sizes[name.split(";")[0]], channels)
        for name, value in medians(calls, rounds).items()
    }
    return {"forms": forms, "tiles": tiles}


def _figures(milliseconds: float, size: Size, channels: int) -> dict[str, float]:
    voxels = size[0] * size[1] * size[2]
    return {
        "ms": milliseconds,
        "gflop_s": round(voxels * voxel_flop(channels) / milliseconds / 1e6),
    }


def main() -> None:
    """Measure, print, write results/network-cpu.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", default="64,128", help="channels, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    report: dict[str, Any] = {"benchmark": "network", "tile": list(TILE), "widths": {}}
    report["matrix_product_gflop_s"] = matrix_products()
    with tempfile.TemporaryDirectory() as folder:
        for width in given.widths.split(","):
            found = measure(int(width), given.rounds, Path(folder))
            report["widths"][width] = found
            for name, figures in (*found["forms"].items(), *found["tiles"].items()):
                print(f"{width} {name:48} {figures['ms']:9.1f} ms {figures['gflop_s']:6} GFLOP/s")
    report["machine"] = machine(LIBRARIES)
    write_json(given.results, report)


if __name__ == "__main__":
    main()
