"""THE STORY of export: weights → traced graph with dynamic T, H, W → one checked .onnx file."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxscript import optimizer
from torch import Tensor

from tsr.calibration.half import HalfCheck, check_half
from tsr.core.clip_io import ClipInfo, clip_info
from tsr.core.errors import ModelError
from tsr.core.model_card import METADATA_KEY, ModelCard
from tsr.core.outputs import check_output, completed
from tsr.core.tiling import NETWORK_HALO
from tsr.export.tolerance import TOLERANCES
from tsr.trainer.network import TsrNetwork, load_model

INPUT, OUTPUT = "base", "htr"
"""As `tsr.runtime.onnx_network` expects them; a test holds the two together."""

OPSET = 20
AXES = ("time", "height", "width")
"""Names of the dynamic axes; the output's are smaller by twice the halo."""

CHECKED_SIZES = ((2, 2, 2), (4, 9, 17), (16, 24, 40))
"""(T, H, W) of outputs compared with torch, by `tsr.export.tolerance`: the smallest, an odd one, a
usual one."""


class HalfNetwork(TsrNetwork):
    """The network with FP16 convolutions; input, output and their sum stay FP32."""

    def forward(self, base: Tensor) -> Tensor:
        """As `TsrNetwork.forward`."""
        t, h, w = NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w
        return base[:, :, t:-t, h:-h, w:-w] + self.residual(base.half()).float()


def to_onnx(
    model: Path,
    output: Path,
    *,
    half: bool = False,
    clip: Path | ClipInfo | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Export a .safetensors model to one .onnx file that carries weights and model card.

    The graph maps `base` (1, 3, time, height, width), cubic-interpolated video with the network's
    halo around it, to `htr`, smaller by the halo. Initialisers keep the names of the state dict.

    Args:
        half: convolve in FP16, for GPUs.
        clip: the video, or the info of a part of it; with `half`, its liveliest windows are
            checked for overflow.

    Raises:
        ModelError: the model cannot be read, the exported graph does not agree with it, or FP16
            does not hold what it computes on the video.
        ClipError: the video cannot be read.
        OutputError: the file cannot be written.
    """
    check_output(output, inputs=(model,), overwrite=overwrite)
    network, card = load_model(model)
    graph = half_graph(network) if half else traced_graph(network)
    card = replace(card, precision="fp16" if half else "fp32")
    if half and clip:
        info = clip_info(clip)
        found = check_half(traced_graph(network), graph, info, card.ladder)
        card = replace(card, calibration={"video": info.path.name, **asdict(found)})
    with written(output, graph, card) as (file, card):
        check_export(file, network, TOLERANCES[card.precision].worst)
    return card


def check_fp16(model: Path, clip: Path | ClipInfo) -> HalfCheck:
    """Whether FP16 holds what a .safetensors model computes on a video; see `check_half`.

    Raises:
        ModelError: it does not, or the model cannot be read. ClipError: the video cannot be read.
    """
    network, card = load_model(model)
    return check_half(traced_graph(network), half_graph(network), clip, card.ladder)


@contextlib.contextmanager
def written(
    output: Path, graph: onnx.ModelProto, card: ModelCard
) -> Iterator[tuple[Path, ModelCard]]:
    """Write a graph with its card; the block checks the file, which then gets its final name."""
    card = replace(card, versions={**card.versions, "onnx": onnx.__version__})
    entry = graph.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, card.to_json()
    with completed(output) as temporary:
        temporary.write_bytes(graph.SerializeToString(deterministic=True))
        yield temporary, card


def half_graph(network: TsrNetwork) -> onnx.ModelProto:
    """The network with FP16 inside, traced; its initialisers are FP16."""
    half = HalfNetwork(network.channels)
    half.load_state_dict(network.state_dict())
    half.half()
    return traced_graph(half)


def traced_graph(network: TsrNetwork) -> onnx.ModelProto:
    """Trace the network with dynamic time, height and width."""
    halo = (2 * NETWORK_HALO.t, 2 * NETWORK_HALO.h, 2 * NETWORK_HALO.w)
    example = torch.zeros(1, 3, *(size + 8 for size in halo))
    dynamic = {2 + i: torch.export.Dim(AXES[i], min=halo[i] + 2) for i in range(3)}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=(dynamic,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            external_data=False,
            optimize=False,
            verbose=False,
        )
    if program is None:
        raise ModelError("torch produced no graph; update torch")
    # Constants are folded, but equal initialisers stay apart: refitting replaces each by its name.
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    proto = program.model_proto
    _strip(proto)
    return proto


def check_export(
    path: Path, network: TsrNetwork, tolerance: float = TOLERANCES["fp32"].worst
) -> None:
    """Compare the file with torch: tensor names, dynamic axes, values at several shapes.

    Raises:
        ModelError: says what differs.
    """
    import onnxruntime as ort

    onnx.checker.check_model(path, full_check=True)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    given, made = session.get_inputs()[0], session.get_outputs()[0]
    if (given.name, made.name) != (INPUT, OUTPUT):
        raise ModelError(f"export named its tensors {given.name}, {made.name}")
    if given.shape != [1, 3, *AXES] or not all(isinstance(n, str) for n in made.shape[2:]):
        raise ModelError(f"export fixed an axis: {given.shape} → {made.shape}")
    names = {node.name for node in onnx.load(path).graph.initializer}
    missing = set(network.state_dict()) - names
    if missing:
        raise ModelError(f"export renamed the weights {', '.join(sorted(missing))}")
    generator = np.random.default_rng(0)
    for t, h, w in CHECKED_SIZES:
        shape = (1, 3, t + 2 * NETWORK_HALO.t, h + 2 * NETWORK_HALO.h, w + 2 * NETWORK_HALO.w)
        base = generator.random(shape, np.float32)
        (found,) = session.run([OUTPUT], {INPUT: base})
        with torch.no_grad():
            expected = network(torch.from_numpy(base)).numpy()
        if found.shape != expected.shape:
            raise ModelError(f"export gives {found.shape} where torch gives {expected.shape}")
        error = float(np.abs(found - expected).max())
        if not error <= tolerance:
            raise ModelError(f"export differs from torch by {error:.1e} at {(t, h, w)}")


def _strip(proto: onnx.ModelProto) -> None:
    """Drop the tracer's notes (source lines, paths); name the output's axes after the input's."""
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
    dims = graph.output[0].type.tensor_type.shape.dim
    for dim, axis in zip(list(dims)[2:], AXES, strict=True):
        dim.dim_param = f"{axis}_out"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and deprecation notes away from the user's terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
