"""For `benchmarks.gpu`: models to measure where none was given. How fast a network is does not
depend on its weights, so they are random; its sums are of a trained one's size."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import onnx
import torch

from benchmarks.gpu_kernels import noise
from benchmarks.graph_forms import lowered_to_2d
from tsr.calibration.collect import histograms
from tsr.calibration.qdq import FORMATS, Number, inner_layers, quantised
from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import ModelCard, VideoStamp
from tsr.export.to_onnx import half_graph, to_onnx, traced_graph, written
from tsr.trainer.network import TsrNetwork, save_model

CHANNELS = 128
RESIDUAL = 0.1
"""Size of what the network adds, as a part of the picture."""

STAMP = VideoStamp(
    name="none: random weights", sha256="0" * 64, width=1280, height=720, num_frames=8,
    fps=Fraction(30),
)  # fmt: skip


def own_models(folder: Path, channels: int = CHANNELS) -> list[Path]:
    """The same network in FP32, FP16, INT8 and FP8, as it was trained, and in FP16 with its 1×3×3
    layers as 2D ones."""
    network = random_network(channels)
    card = ModelCard(channels=channels, ladder=ScaleLadder(Fraction(1, 8), 8), video=STAMP)
    weights = folder / f"fp16-{channels}.safetensors"
    save_model(weights, network, card)
    plain, half, flat = (folder / f"{name}-{channels}.onnx" for name in ("fp32", "fp16", "fp16-2d"))
    to_onnx(weights, plain)
    to_onnx(weights, half, half=True)
    onnx.save(lowered_to_2d(onnx.load(half)), flat)
    windows = [noise(3, 10, 40, 48, seed=seed) for seed in range(2)]
    ranges = [float(found.largest) for found in histograms(traced_graph(network), windows)]
    numbers: tuple[Number, ...] = ("int8", "fp8")
    narrow = [
        _narrow(network, card, ranges, number, folder / f"{number}-{channels}.onnx")
        for number in numbers
    ]
    return [plain, half, weights, flat, *narrow]


def random_network(channels: int) -> TsrNetwork:
    """Weights from a fixed seed."""
    network = TsrNetwork(channels)
    generator = torch.Generator().manual_seed(0)
    network.initialise(generator)
    last = network.layers[-1].weight
    last.data.normal_(0.0, RESIDUAL * last[0].numel() ** -0.5, generator=generator)
    return network.eval()


def _narrow(
    network: TsrNetwork, card: ModelCard, ranges: list[float], number: Number, path: Path
) -> Path:
    half = half_graph(network)
    layers = inner_layers(half.graph)
    graph = quantised(half, ranges, layers, FORMATS["tensorrt", number])
    about = replace(card, precision=number, calibration={"target": "tensorrt"})
    with written(path, graph, about):
        return path
