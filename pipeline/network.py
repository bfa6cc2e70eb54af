"""The network of one shot: trained, exported for this machine, and kept in the cache."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsr.core.cache import keep
from tsr.core.clip_io import ClipInfo
from tsr.core.errors import ModelError, TsrError
from tsr.core.exposure import FULL
from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import file_sha256
from tsr.pipeline import machine
from tsr.pipeline.cache import VideoCache, frames_facts
from tsr.pipeline.machine import Target
from tsr.pipeline.options import Options
from tsr.pipeline.told import Told

if TYPE_CHECKING:
    from tsr.trainer.report import ChoiceReport, TrainReport

REPORT = "report.json"
"""Beside a result, written last: the stage is complete."""


@dataclass(frozen=True)
class Training:
    """What a training left (`tsr.trainer.train.TrainResult`); `seconds` is 0 when it was kept."""

    model: Path
    history: tuple[tuple[int, float, float], ...]
    psnr: float
    cubic: float
    seconds: float


@dataclass(frozen=True)
class Exported:
    """A file that the runtime reads. `note` says why it is not the fastest precision."""

    file: Path
    precision: str
    seconds: float
    note: str = ""


def train(
    clip: ClipInfo,
    factor: int,
    options: Options,
    kept: VideoCache,
    told: Told,
    wanted: Sequence[int] | None = None,
    start_from: Path | None = None,
) -> Training:
    """The network trained on a clip, or on a part of one: kept, gone on with, or made.

    Args:
        factor: of the ladder to train for.
        wanted, start_from: as in `tsr.trainer.train.train`; from a model, fewer steps are taken.

    Raises:
        TsrError: the training cannot go on.
        KeyboardInterrupt: it was interrupted, and its state saved.
    """
    from tsr.trainer.train import origin, resume_file
    from tsr.trainer.train import train as train_network
    from tsr.trainer.warm_start import shortened

    config = options.train_config()
    if start_from is not None:
        config = shortened(config)
    ladder, _ = ScaleLadder.for_size(clip.height, clip.width, factor)
    facts = {
        **frames_facts(clip),
        "settings": config.to_dict(),
        "ladder": str(ladder),
        **origin(wanted, start_from),
        **({} if options.exposure == FULL else {"exposure": options.exposure}),
    }
    folder = kept.stage("train", facts)
    model, report = folder / "model.safetensors", folder / REPORT
    if (found := _read(report, model)) is not None:
        told.stage("train", "kept from an earlier run")
        history = tuple((int(n), float(a), float(b)) for n, a, b in found["history"])
        return Training(model, history, found["psnr"], found["cubic"], 0.0)

    told.stage("train")

    def show(now: "TrainReport | ChoiceReport") -> None:
        share = now.step / config.steps
        told.show(now.line(config.steps), share=share, left=now.remaining)

    def run(resume: bool) -> Any:
        return train_network(
            clip,
            model,
            config,
            ladder=ladder,
            exposure=options.exposure,
            wanted=wanted,
            start_from=start_from,
            device=options.device,
            resume=resume,
            overwrite=True,
            report=show,
            note=told.line,
        )

    try:
        result = run(resume_file(model).is_file())
    except ModelError as error:  # its state is of no use any more
        told.note(f"the training starts over: {error}")
        resume_file(model).unlink(missing_ok=True)
        result = run(resume=False)
    if result.interrupted:
        raise KeyboardInterrupt  # which the training had turned into a question between steps
    plain = {"history": result.history, "psnr": result.psnr, "cubic": result.cubic}
    keep(report, json.dumps({**plain, "sha256": file_sha256(model)}).encode())
    told.done(
        f"{result.steps} steps; predicts the video from its own rect_2 at {result.psnr:.2f} dB "
        f"(cubic: {result.cubic:.2f} dB)"
    )
    return Training(model, result.history, result.psnr, result.cubic, result.seconds)


def export(
    training: Training, clip: ClipInfo, target: Target, kept: VideoCache, told: Told
) -> Exported:
    """The network in the best precision for who runs it: kept, or made.

    INT8 on a CPU and FP16 on a GPU, if they hold what this video needs; FP32 otherwise. Our own
    convolutions take the network as it was trained, if FP16 holds it.

    Raises:
        TsrError: not even FP32 could be exported.
    """
    facts = {"model": file_sha256(training.model), **frames_facts(clip), "target": target}
    if target == "tensorrt":
        facts["engine"] = _engine_facts()
    folder = kept.stage("export", facts)
    file = folder / ("model.plan" if target == "tensorrt" else "model.onnx")
    report = folder / REPORT
    if (found := _read(report, file)) is not None:
        told.stage("export", f"{found['precision']}, kept from an earlier run")
        return Exported(folder / found["file"], found["precision"], 0.0, found["note"])

    told.stage("export", "calibrating 8 bits" if target == "cpu" else "half precision")
    try:
        precision, note = _narrow(training.model, clip, file, target, told), ""
        if target == "tensor-cores":
            file = training.model
    except TsrError as error:
        if target in ("tensorrt", "tensor-cores"):
            other = machine.without_engines()
            where = "the CPU, since ONNX Runtime here has no CUDA" if other == "cpu" else "the GPU"
            what = "no engine" if target == "tensorrt" else "not by our own convolutions"
            told.note(f"{what}, so ONNX Runtime computes on {where}: {error}")
            return export(training, clip, other, kept, told)
        from tsr.export.to_onnx import to_onnx

        precision, note = "fp32", f"FP32, since a narrower precision is not possible: {error}"
        to_onnx(training.model, file, overwrite=True)
    exported = Exported(file, precision, round(told.seconds, 2), note)
    plain = asdict(exported) | {"file": os.path.relpath(file, folder), "sha256": file_sha256(file)}
    keep(report, json.dumps(plain).encode())
    told.done(f"{precision} for {target}")
    return exported


def _narrow(model: Path, clip: ClipInfo, file: Path, target: Target, told: Told) -> str:
    """Write the file in 8 or 16 bits, where one is needed; returns its precision."""
    if target == "cpu":
        from tsr.export.to_quantised import to_quantised

        to_quantised(model, clip, file, overwrite=True, note=told.show)
        return "int8"
    if target == "tensor-cores":
        from tsr.export.to_onnx import check_fp16

        check_fp16(model, clip)
        return "fp16"
    from tsr.export.to_onnx import to_onnx

    onnx = file.with_suffix(".onnx")
    to_onnx(model, onnx, half=True, clip=clip, overwrite=True)
    if target == "tensorrt":
        from tsr.export.to_engine import to_engine

        to_engine(onnx, file, overwrite=True)
    return "fp16"


def _engine_facts() -> str:
    """What an engine depends on beside its model."""
    from tsr.export.to_engine import EngineOptions, choose_library
    from tsr.runtime import device, tensorrt_library

    library = choose_library(EngineOptions())
    gpu = "" if device.missing() else device.CudaDevice().name
    return f"{library} {tensorrt_library.load(library).__version__} {gpu}"


def _read(report: Path, file: Path) -> dict[str, Any] | None:
    """What a finished stage said of its result; None if it is not finished, or damaged."""
    try:
        found: dict[str, Any] = json.loads(report.read_text("utf-8"))
        digest = file_sha256(report.parent / found.get("file", file.name))
    except (OSError, ValueError):
        return None
    return found if found.get("sha256", digest) == digest else None  # older reports have none
