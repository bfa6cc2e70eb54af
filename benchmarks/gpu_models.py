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
"""As the paper has it, and the preset of its name."""

FEWER_CHANNELS = 64
"""The other presets'."""

RESIDUAL = 0.1
"""Size of what the network adds, as a part of the picture."""

STAMP = VideoStamp(
    name="none: random weights", sha256="0" * 64, width=1280, height=720, num_frames=8,
    fps=Fraction(30),
)  # fmt: skip


def own_models(
    folder: Path, channels: int = CHANNELS, fewer: int | None = FEWER_CHANNELS
) -> list[Path]:
    """The same network as it was trained, in FP16, in FP32, INT8 and FP8, and in FP16 with its
    1×3×3 layers as 2D ones; then a narrower one as it was trained and in FP16."""
    network = random_network(channels)
    card, weights, half = _trained(network, folder)
    plain, flat = (folder / f"{name}-{channels}.onnx" for name in ("fp32", "fp16-2d"))
    to_onnx(weights, plain)
    onnx.save(lowered_to_2d(onnx.load(half)), flat)
    windows = [noise(3, 10, 40, 48, seed=seed) for seed in range(2)]
    ranges = [float(found.largest) for found in histograms(traced_graph(network), windows)]
    numbers: tuple[Number, ...] = ("int8", "fp8")
    narrow = [
        _narrow(network, card, ranges, number, folder / f"{number}-{channels}.onnx")
        for number in numbers
    ]
    others = [] if fewer is None else _trained(random_network(fewer), folder)[1:]
    return [weights, half, plain, flat, *narrow, *others]


def random_network(channels: int) -> TsrNetwork:
    """Weights from a fixed seed."""
    network = TsrNetwork(channels)
    generator = torch.Generator().manual_seed(0)
    network.initialise(generator)
    last = network.layers[-1].weight
    last.data.normal_(0.0, RESIDUAL * last[0].numel() ** -0.5, generator=generator)
    return network.eval()


def _trained(network: TsrNetwork, folder: Path) -> tuple[ModelCard, Path, Path]:
    """A network's card, and its files as it was trained and in FP16."""
    channels = network.layers[0].out_channels
    card = ModelCard(channels=channels, ladder=ScaleLadder(Fraction(1, 8), 8), video=STAMP)
    weights, half = (folder / f"fp16-{channels}.{ending}" for ending in ("safetensors", "onnx"))
    save_model(weights, network, card)
    to_onnx(weights, half, half=True)
    return card, weights, half


def _narrow(
    network: TsrNetwork, card: ModelCard, ranges: list[float], number: Number, path: Path
) -> Path:
    half = half_graph(network)
    layers = inner_layers(half.graph)
    graph = quantised(half, ranges, layers, FORMATS["tensorrt", number])
    about = replace(card, precision=number, calibration={"target": "tensorrt"})
    with written(path, graph, about):
        return path
