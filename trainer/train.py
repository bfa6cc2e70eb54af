"""THE STORY of training: a video → its coarsest rung → internal examples → loop → model file."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from tsr.core.clip_io import ClipInfo, ClipReader, probe
from tsr.core.errors import SettingsError
from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import ModelCard, VideoStamp, file_sha256
from tsr.core.outputs import check_output
from tsr.trainer.coarse import coarse_video
from tsr.trainer.config import TrainConfig
from tsr.trainer.loop import TrainReport, stop_on_signal, train_on_volume, validate
from tsr.trainer.network import TsrNetwork, save_model
from tsr.trainer.state import TrainState


@dataclass(frozen=True)
class TrainResult:
    """What a training run left behind.

    Args:
        model: the model file. steps: steps done. psnr: best validation PSNR in dB.
        cubic: that of cubic interpolation. seconds: time in the loop, over all sittings.
        interrupted: stopped before its budget was used; `--resume` goes on.
    """

    model: Path
    steps: int
    psnr: float
    cubic: float
    seconds: float
    interrupted: bool


def train(
    clip: Path,
    model: Path,
    config: TrainConfig,
    *,
    ladder: ScaleLadder | None = None,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    report: Callable[[TrainReport], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> TrainResult:
    """Train a network on one video and write it to `model`.

    Args:
        clip: the low-frame-rate video.
        ladder: the ladder to train for; chosen by the frame size if None.
        device: `auto`, `cpu` or `cuda`.
        resume: go on from the state that an interrupted run left beside `model`.
        report: called at each validation. note: called with decisions worth a line.

    Raises:
        TsrError: the video, the settings or the output do not allow it.
    """
    check_output(model, inputs=(clip,), overwrite=overwrite or resume)
    state_file = resume_file(model)
    place = choose_device(device)
    info = probe(clip)
    if ladder is None:
        ladder, reason = ScaleLadder.for_size(info.height, info.width)
        note(f"coarsest rung S×{ladder.start}: {reason}")
    with ClipReader(clip) as reader:
        video, part = coarse_video(reader, ladder)
    if part:
        note(part)
    stamp = stamp_video(clip, info)

    state = TrainState.fresh(config, place)
    identity = run_identity(config, ladder, stamp)
    if resume:
        state.load(state_file, identity)
        note(f"going on from step {state.step}")
    with stop_on_signal() as stop:
        validation = train_on_volume(
            video,
            config,
            state,
            report=report,
            checkpoint=lambda: state.save(state_file, identity),
            stop=stop,
        )
        interrupted = stop()
    if interrupted:
        # After the state was saved, so that a resumed run repeats what an unbroken one does.
        state.history.append((state.step, 0.0, validate(state, validation)))
    network = TsrNetwork(config.channels)
    network.load_state_dict(state.best)
    card = ModelCard(
        channels=config.channels,
        ladder=ladder,
        video=stamp,
        settings=config.to_dict(),
        validation={
            "step": state.step,
            "psnr": round(state.best_psnr, 4),
            "psnr_cubic": round(validation.cubic_psnr, 4),
        },
        versions=software_versions(),
    )
    save_model(model, network, card)
    if not interrupted:
        state_file.unlink(missing_ok=True)
    return TrainResult(
        model, state.step, state.best_psnr, validation.cubic_psnr, state.seconds, interrupted
    )


def resume_file(model: Path) -> Path:
    """Where an interrupted run keeps its state: beside the model."""
    return model.with_name(f"{model.stem}.resume.safetensors")


def choose_device(name: str) -> torch.device:
    """The torch device for `auto`, `cpu` or `cuda`.

    Raises:
        SettingsError: `cuda` was asked for and is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError("no CUDA device is usable by torch here; use --device cpu")
    return torch.device(name)


def stamp_video(clip: Path, info: ClipInfo) -> VideoStamp:
    """Which video this is, for the model card."""
    return VideoStamp(
        name=clip.name,
        sha256=file_sha256(clip),
        width=info.width,
        height=info.height,
        num_frames=info.num_frames,
        fps=info.fps,
    )


def run_identity(config: TrainConfig, ladder: ScaleLadder, stamp: VideoStamp) -> dict[str, Any]:
    """What must agree between an interrupted run and the one that goes on with it.

    The length is left out: a resumed run may be given more steps or minutes.
    """
    settings = config.to_dict()
    del settings["steps"], settings["max_minutes"]
    return {**settings, "ladder": str(ladder), "video": stamp.sha256}


def software_versions() -> dict[str, str]:
    """The software that decides the bytes of a model."""
    return {
        "tsr": version("zero-shot-tsr"),
        "torch": version("torch"),
        "python": platform.python_version(),
    }
