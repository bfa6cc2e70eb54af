"""THE STORY of training: a video → its coarsest rung → internal examples → loop → model file."""

import hashlib
import math
import platform
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch

from tsr.core.clip_io import ClipInfo, ClipReader, clip_info, picked
from tsr.core.errors import OutputError, SettingsError
from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import ModelCard, VideoStamp, file_sha256
from tsr.core.outputs import check_output
from tsr.core.pipes import is_pipe
from tsr.core.volume import Volume
from tsr.trainer import warm_start
from tsr.trainer.choose import choose_examples
from tsr.trainer.coarse import coarse_video
from tsr.trainer.config import TrainConfig
from tsr.trainer.exposure import ExposureMeter
from tsr.trainer.loop import check_batch, stop_on_signal, train_on_volume, validate
from tsr.trainer.moved import interpolation_for
from tsr.trainer.network import TsrNetwork, save_model
from tsr.trainer.report import Report
from tsr.trainer.state import TrainState
from tsr.trainer.validation import Validation


@dataclass(frozen=True)
class TrainResult:
    """What a training run left behind.

    Args:
        model: the model file. steps: steps done. psnr: its validation PSNR in dB.
        cubic: that of cubic interpolation. seconds: time in the loop, over all sittings.
        exposure: followed, as a fraction of the frame interval.
        interrupted: stopped before its budget was used; `--resume` goes on.
        examples: what it learned from; `none` for plain interpolation.
        history: (step, mean training loss since the last, validation PSNR) of each validation.
    """

    model: Path
    steps: int
    psnr: float
    cubic: float
    seconds: float
    exposure: float
    interrupted: bool
    examples: str
    history: tuple[tuple[int, float, float], ...] = ()


def train(
    clip: Path | ClipInfo,
    model: Path,
    config: TrainConfig,
    *,
    factor: int = 8,
    ladder: ScaleLadder | None = None,
    exposure: float | Literal["auto"] | None = None,
    wanted: Collection[int] | None = None,
    start_from: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    report: Report = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> TrainResult:
    """Train a network on one video and write it to `model`.

    Args:
        clip: the low-frame-rate video, or the info of a part of it.
        factor: that the network shall be best at.
        ladder: the ladder to train for; chosen by the frame size and the factor if None.
        exposure: of the video's frames, as a fraction of their interval; the ladder's if None,
            estimated if `auto`.
        wanted: numbers of the clip's frames to learn from; all if None.
        start_from: a model of as many channels whose weights are the first ones.
        device: `auto`, `cpu` or `cuda`.
        resume: go on from the state that an interrupted run left beside `model`.
        report: called every few seconds and at each validation. note: called with decisions worth
            a line.

    Raises:
        TsrError: the video, the settings or the output do not allow it.
    """
    path = clip.path if isinstance(clip, ClipInfo) else clip
    inputs = (path,) if start_from is None else (path, start_from)
    check_model_output(model, inputs, overwrite or resume)
    state_file = resume_file(model)
    state = TrainState.fresh(config, choose_device(device))
    if start_from is not None:
        config = warm_start.start_from(state, start_from, config)
    info = clip_info(clip)
    if ladder is None:
        ladder, reason = ScaleLadder.for_size(info.height, info.width, factor)
        note(f"coarsest rung S×{ladder.start}: {reason}")
    meter = ExposureMeter(info.num_frames)
    with ClipReader(path, info) as reader:
        frames = meter.watch(reader) if exposure == "auto" else iter(reader)
        if wanted is not None:
            frames = picked(frames, wanted)
        video, part = coarse_video(frames, ladder)
    if part:
        note(part)
    if exposure == "auto":
        estimate = meter.estimate()
        note(estimate.line())
        exposure = estimate.exposure
    if exposure is not None:
        ladder = replace(ladder, exposure=exposure)
    if config.interpolation == "auto":
        given, reason = interpolation_for(video, state.generator.device, ladder.pass_exposures)
        note(f"interpolation: {given}: {reason}")
        config = replace(config, interpolation=given)
    ladder = replace(ladder, interpolation=config.given)
    check_batch(config, ladder.pass_exposures)
    stamp = stamp_video(info)

    settings = {**config.to_dict(), **origin(wanted, start_from)}
    identity = run_identity(settings, ladder, stamp, info)
    if resume:
        state.load(state_file, identity)
        note(f"going on from step {state.step}")
    elif state_file.exists():
        note(f"starting anew; with --resume it would go on from {state_file.name}")
    with stop_on_signal() as stop:
        config = settle_examples(video, config, state, ladder.pass_exposures, stop, report, note)
        if config.examples in ("none", "auto"):  # nothing to learn, or stopped while choosing
            validation = Validation(
                video, state.generator.device, ladder.pass_exposures, ladder.interpolation
            )
            state.save(state_file, identity)
        else:
            validation = train_on_volume(
                video,
                config,
                state,
                exposures=ladder.pass_exposures,
                report=report,
                checkpoint=lambda: state.save(state_file, identity),
                stop=stop,
            )
        if state.misled:
            note("the video's own rate misled the training, which went on from examples alone")
        interrupted = stop() and config.examples != "none"
    # What follows, after the state was saved, a resumed run does not see.
    if config.examples != "none":
        if interrupted or not state.history:
            validate(state, validation, config)
        if in_vain(state, validation.plain_psnr, lent=start_from is not None):
            note(
                f"plain interpolation is better {'so far' if interrupted else 'here after all'}: "
                f"{validation.plain_psnr:.2f} dB, {state.best_psnr:.2f} dB by step {state.step}"
            )
            config = replace(config, examples="none")
    if config.examples == "none":
        state.network.silence()
        state.best_psnr = -math.inf  # of a tie these weights are the result, too
        validate(state, validation, config)
    network = TsrNetwork(config.channels)
    network.load_state_dict(state.best)
    card = ModelCard(
        channels=config.channels,
        ladder=ladder,
        video=stamp,
        settings={**settings, **config.to_dict(), "choice": state.choice},
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
        model=model,
        steps=state.step,
        psnr=state.best_psnr,
        cubic=validation.cubic_psnr,
        seconds=state.seconds,
        exposure=ladder.exposure,
        interrupted=interrupted,
        examples=config.examples,
        history=tuple(state.history),
    )


def settle_examples(
    video: Volume,
    config: TrainConfig,
    state: TrainState,
    exposures: Sequence[float],
    stop: Callable[[], bool],
    report: Report,
    note: Callable[[str], None],
) -> TrainConfig:
    """The settings with `auto` replaced by what suits the video, which `state` remembers.

    They stay `auto` when `stop` came first; the run that goes on begins with the choice.
    """
    if config.examples == "auto" and state.choice is None:
        started = time.monotonic()
        choice = choose_examples(
            video, config, state.generator.device, exposures=exposures, stop=stop, report=report
        )
        state.seconds += time.monotonic() - started
        if choice is None:
            return config
        state.choice = choice.to_dict()
        note(f"examples: {choice.examples}: {choice.reason}")
    if config.examples == "auto" and state.choice is not None:
        return replace(config, examples=state.choice["examples"])
    return config


def check_model_output(model: Path, inputs: tuple[Path, ...], overwrite: bool) -> None:
    """`check_output` for one file: no pipe, no folder."""
    if is_pipe(model):
        raise OutputError(f"{model} is a pipe, and a model is a file; give -o NAME.safetensors")
    check_output(model, inputs=inputs, overwrite=overwrite)
    if model.is_dir():
        raise OutputError(f"output {model} is a folder; choose another name with -o")


def in_vain(state: TrainState, plain: float, *, lent: bool) -> bool:
    """Whether a training has never done better than plain interpolation and nothing else speaks for
    it: no rehearsal promised more, or its last part, which teaches what no validation sees, has not
    begun and the first weights were not `lent` by a model that went through one."""
    promised = state.choice["gains"].values() if state.choice else ()
    hopeless = bool(promised) and max(promised) <= 0
    untaught = state.last_part is None and not lent
    return (hopeless or untaught) and max(psnr for *_, psnr in state.history) <= plain


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


def stamp_video(info: ClipInfo) -> VideoStamp:
    """Which video this is, for the model card."""
    return VideoStamp(
        name=info.path.name,
        sha256=file_sha256(info.path),
        width=info.width,
        height=info.height,
        num_frames=info.num_frames,
        fps=info.fps,
    )


def origin(wanted: Collection[int] | None, start_from: Path | None) -> dict[str, str | None]:
    """Which frames a training sees and which weights it starts from, as hashes; None as usual."""
    numbers = ",".join(map(str, sorted(wanted or ())))
    return {
        "wanted": None if wanted is None else hashlib.sha256(numbers.encode()).hexdigest(),
        "start_from": None if start_from is None else file_sha256(start_from),
    }


def run_identity(
    settings: dict[str, Any], ladder: ScaleLadder, stamp: VideoStamp, info: ClipInfo
) -> dict[str, Any]:
    """What must agree between an interrupted run and the one that goes on with it.

    The length is left out: a resumed run may be given more steps or minutes.
    """
    settings = {k: v for k, v in settings.items() if k not in ("steps", "max_minutes")}
    part = list(info.frames) if info.frames else None
    known = {**settings, "ladder": str(ladder), "video": stamp.sha256, "frames": part}
    return known if info.deinterlace else {**known, "deinterlace": False}


def software_versions() -> dict[str, str]:
    """The software that decides the bytes of a model."""
    return {
        "tsr": version("zero-shot-tsr"),
        "torch": version("torch"),
        "python": platform.python_version(),
    }
