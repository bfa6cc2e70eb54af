"""A trained model and its video into an INT8 or FP8 .onnx file (`tsr-export --int8 VIDEO`)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx

from tsr.calibration.calibrate import calibrate
from tsr.calibration.gate import MIN_PSNR
from tsr.calibration.qdq import FORMATS, Number, Target
from tsr.core.clip_io import ClipInfo, clip_info
from tsr.core.errors import SettingsError
from tsr.core.model_card import ModelCard, file_sha256
from tsr.core.outputs import check_output
from tsr.export.to_onnx import half_graph, traced_graph, written
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.run import choose_ladder
from tsr.trainer.network import load_model


def to_quantised(
    model: Path,
    clip: Path | ClipInfo,
    output: Path,
    *,
    target: Target = "cpu",
    number: Number = "int8",
    min_psnr: float = MIN_PSNR,
    overwrite: bool = False,
    note: Callable[[str], None] = lambda line: None,
) -> ModelCard:
    """Export a .safetensors model to one .onnx file whose inner layers are quantised.

    Args:
        clip: the video that the model was trained on and will be run on, or the info of a part.
        target: who will read the file; see `tsr.calibration.qdq`.
        number: `int8`, or `fp8` for TensorRT.
        min_psnr: dB against full precision that the result must have at the liveliest frame.
        note: told each finding in one line.

    Raises:
        SettingsError: no such format for that reader.
        ModelError: the model cannot be read, or quantisation shows too much.
        ClipError: the video cannot be read. OutputError: the file cannot be written.
    """
    if (target, number) not in FORMATS:
        raise SettingsError(f"{number} is for TensorRT alone; add --for tensorrt")
    path = clip.path if isinstance(clip, ClipInfo) else clip
    check_output(output, inputs=(model, path), overwrite=overwrite)
    network, card = load_model(model)
    info = clip_info(clip)
    if file_sha256(path) != card.video.sha256:
        note(
            f"{path.name} is another video than the {card.video.name} that the model was trained on"
        )
    full = traced_graph(network)
    made = calibrate(
        full,
        full if target == "cpu" else half_graph(network),
        info,
        choose_ladder(card, info, None, None),
        target=target,
        number=number,
        min_psnr=min_psnr,
        note=note,
    )
    onnx.checker.check_model(made.model, full_check=True)
    report = {"video": path.name, **made.report}
    card = replace(card, precision=number, calibration=report)
    with written(output, made.model, card) as (file, card):
        OnnxNetwork(file)  # as `tsr-run` will open it
    return card
