"""From a truth to each method's fast video and its scores: stages that a benchmark goes through.

A user has a slow video, whatever made it slow. So for each factor the truth is degraded by that
factor, a network is trained on the slow video with `tsr-train`'s defaults for the factor, and
`tsr-run` makes as many frames as the truth has.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.interpolate import RIVALS, rival_settings
from benchmarks.stages import run_stage, write_json
from tsr.core.clip_io import ClipReader
from tsr.core.errors import TsrError
from tsr.evaluation.baselines import METHODS as PLAIN
from tsr.evaluation.baselines import upsampled
from tsr.trainer.config import PRESETS, Preset
from tsr.trainer.precision import preset_here
from tsr.trainer.train import choose_device

OURS = "ours"
METHODS = (*PLAIN, *RIVALS, OURS)
"""What can be measured; ours stands for one method per preset."""

Stage = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ours:
    """A training of ours, which is a method by itself."""

    preset: Preset = "fast"
    changes: dict[str, int | str] = field(default_factory=dict)
    """Settings instead of the preset's, to try things out."""

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise SystemExit(f"no preset {self.preset!r}; choose from {', '.join(PRESETS)}")
        try:
            _ = self.settings  # refuse bad changes now, and not after the other methods' hours
        except TsrError as error:
            raise SystemExit(str(error)) from None

    @property
    def name(self) -> str:
        """Such as "ours-fast-precisionfp32"; tells it from any other training."""
        return "-".join([OURS, self.preset, *(f"{key}{v}" for key, v in self.changes.items())])

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides the training on this machine."""
        return preset_here(self.preset, choose_device("auto"), **self.changes).to_dict()

    @property
    def options(self) -> list[str]:
        """The same for the command line."""
        changes = [word for key, v in self.changes.items() for word in (f"--{key}", str(v))]
        return ["--preset", self.preset, *changes]


def name_of(method: str | Ours) -> str:
    """A method's name in results and folders."""
    return method.name if isinstance(method, Ours) else method


@dataclass(frozen=True, kw_only=True)
class Job:
    """One truth at one factor."""

    truth: Path
    folder: Path
    """Where everything made of it is kept."""
    factor: int

    @property
    def slow(self) -> Path:
        """The slow video, made by `degrade`."""
        return self.folder / "slow.mkv"

    def fast(self, method: str) -> Path:
        """A method's result, made by `make`; the plain ones are not stored."""
        return self.folder / method / "fast.mkv"

    @property
    def settings(self) -> dict[str, Any]:
        """What tells this job from others without reading the truth."""
        truth = {"name": self.truth.parent.name, "bytes": self.truth.stat().st_size}
        return {"truth": truth, "factor": self.factor}

    def frame_psnrs(self, method: str) -> list[float] | None:
        """The PSNR of each frame, if the method's video and its scores are at hand.

        Results are kept longer than the videos they were measured on.
        """
        store = self.folder / method / "score.json"
        video = self.slow if method in PLAIN else self.fast(method)
        if not store.is_file() or not video.is_file():
            return None
        return list(json.loads(store.read_text(encoding="utf-8"))["result"]["frame_psnr"])

    def frames(self, method: str) -> Iterable[Any]:
        """A method's frames, (3, H, W) float32, or those of the "truth"."""
        if method in PLAIN:
            return upsampled(ClipReader(self.slow), self.factor, method)
        return ClipReader(self.truth if method == "truth" else self.fast(method))


def degrade(job: Job) -> Stage:
    """Make the slow video."""
    job.folder.mkdir(parents=True, exist_ok=True)
    words = [job.truth, "-o", job.slow, "--factor", job.factor, "--overwrite", "--json"]
    return run_stage(
        "degrade",
        job.folder,
        "tsr.evaluation.degrade_cli",
        _words(*words),
        settings=job.settings,
        outputs=[job.slow],
    )


def make(job: Job, method: str | Ours) -> tuple[dict[str, Stage], dict[str, Any]]:
    """Make a method's fast video; returns its stages by name, and all that decides them."""
    if isinstance(method, Ours):
        return _make_ours(job, method)
    settings = job.settings | {"method": method}
    if method in PLAIN:
        return {}, settings
    settings |= rival_settings(method)
    fast = job.fast(method)
    fast.parent.mkdir(exist_ok=True)
    stage = run_stage(
        "interpolate",
        fast.parent,
        "benchmarks.interpolate",
        _words(method, job.slow, "-o", fast, "--factor", job.factor),
        settings=settings,
        outputs=[fast],
    )
    return {"interpolate": stage}, settings


def _make_ours(job: Job, ours: Ours) -> tuple[dict[str, Stage], dict[str, Any]]:
    """Train, export and run by the commands that a user runs."""
    fast = job.fast(ours.name)
    folder = fast.parent
    folder.mkdir(exist_ok=True)
    model, graph = folder / "model.safetensors", folder / "model.onnx"
    settings = job.settings | {"train": ours.settings | {"factor": job.factor}}
    stages = {}
    for name, module, words, output in (
        (
            "train",
            "tsr.trainer.cli",
            [job.slow, "-o", model, "--factor", job.factor, *ours.options],
            model,
        ),
        ("export", "tsr.export.cli", [model, "-o", graph], graph),
        (
            "run",
            "tsr.runtime.cli",
            [graph, job.slow, "-o", fast, "--encoder", "ffv1"],
            fast,
        ),
    ):
        going_on = name == "train" and _may_resume(model, settings)
        words = [*words, "--resume" if going_on else "--overwrite", "--json"]
        stages[name] = run_stage(
            name, folder, module, _words(*words), settings=settings, outputs=[output]
        )
    return stages, settings


def score(job: Job, method: str, settings: dict[str, Any], measures: dict[str, Any]) -> Stage:
    """Score a method's fast video, by all of `clip_scores`' measures.

    Args:
        settings: all that decided the video. measures: all that decides the scores.
    """
    folder = job.folder / method
    folder.mkdir(exist_ok=True)
    return run_stage(
        "score",
        folder,
        "benchmarks.clip_scores",
        _words(method, job.truth, job.folder, "--factor", job.factor),
        settings=settings | measures,
    )


def _may_resume(model: Path, settings: dict[str, Any]) -> bool:
    """Whether an interrupted training of the same settings can go on; forgets any other."""
    began, state = model.with_name("train.began.json"), model.with_suffix(".resume.safetensors")
    known = json.loads(json.dumps(settings))
    if began.is_file() and json.loads(began.read_text()) == known and state.is_file():
        return True
    state.unlink(missing_ok=True)
    write_json(began, settings)
    return False


def _words(*values: Any) -> list[str]:
    return [str(value) for value in values]
