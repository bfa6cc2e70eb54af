"""THE STORY of the demo: render a fast scene, slow it down, learn from the slow video, restore it.

    python -m tsr.pipeline.demo out/demo

A slow camera sees the scene's wheel turn the wrong way (`evaluation.demo_scene`). The truth is
known, so the result can be scored and the wheel's speed be measured.
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tsr.core.console import InPath, Progress, check_installed, command, duration
from tsr.core.errors import OutputError, TsrError
from tsr.pipeline.demo_settings import DemoSettings
from tsr.pipeline.demo_stages import stage
from tsr.pipeline.told import Told

if TYPE_CHECKING:
    from tsr.evaluation.demo_scene import DemoScene
    from tsr.runtime.run import RunProgress
    from tsr.trainer.report import ChoiceReport, TrainReport

NEEDED = {"torch": "torch", "onnx": "onnx", "onnxscript": "onnxscript", "PIL": "pillow"}
"""What the stages import beyond the base install, and the packages' names."""

METHODS = ("linear", "cubic_bp", "ours")
"""What report.json compares."""

TITLES = {"linear": "linear", "cubic_bp": "cubic + back-projection", "ours": "ours"}


def demo(folder: Path, settings: DemoSettings | None = None) -> dict[str, Any]:
    """Run the whole demo and leave report, picture, videos and model in `folder`.

    Returns:
        The content of report.json.

    Raises:
        TsrError: a package is missing, the folder cannot be written, or the training was
            interrupted.
    """
    settings = settings or DemoSettings()
    check_installed("the demo", "demo", NEEDED)
    _prepare(folder)
    truth, slow, ours = folder / "truth.mkv", folder / "slow.mkv", folder / "ours.mkv"
    model, graph = folder / "model.safetensors", folder / "model.onnx"
    began = time.perf_counter()
    seconds: dict[str, float] = {}

    with stage("render", "the scene as a camera of 240 frames/s sees it", seconds) as progress:
        scene = _render(truth, settings, progress)
    with stage("degrade", "what a camera of 30 frames/s makes of it", seconds) as progress:
        from tsr.evaluation.degrade import degrade

        degrade(truth, slow, scene.factor, progress=progress)
    with stage("train", "preparing", seconds) as progress:
        training = _train(slow, model, settings, progress)
    with stage("export", "network to ONNX, checked against torch", seconds):
        from tsr.export.to_onnx import to_onnx

        to_onnx(model, graph, overwrite=True)
    with stage("run", f"×{scene.factor} on the CPU", seconds) as progress:
        inference = _run(graph, slow, ours, progress)
    with stage("evaluate", "scores, videos, picture", seconds) as progress:
        scores = _score(truth, slow, ours, scene.factor, progress)
        wheel = _show(folder, scene, scores, settings.input_frames)

    seconds["total"] = round(time.perf_counter() - began, 2)
    report = {
        **_columns(scores),
        "seconds": seconds,
        "wheel": wheel,
        "training": training,
        "run": inference,
    }
    _write_report(folder / "report.json", report)
    return report


def _prepare(folder: Path) -> None:
    """Make the folder and clear away what an earlier demo left: no mixture of two runs."""
    from tsr.pipeline.demo_show import MADE

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("report.json", "model.safetensors", "model.onnx", "ours.mkv", *MADE):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot use {folder} for the demo ({error.strerror}); choose another folder"
        ) from error


def _render(truth: Path, settings: DemoSettings, progress: Progress) -> "DemoScene":
    from tsr.evaluation.demo_scene import DEMO_FACTOR, demo_scene
    from tsr.evaluation.scenes import write_scene

    num_frames = settings.input_frames * DEMO_FACTOR
    scene = demo_scene(num_frames)
    write_scene(
        scene,
        truth,
        num_frames=num_frames,
        height=settings.height,
        width=settings.width,
        fps=settings.fps,
        encoder="ffv1",
        progress=progress,
    )
    return scene


def _train(slow: Path, model: Path, settings: DemoSettings, progress: Progress) -> dict[str, Any]:
    """The per-video model; what report.json says of its training."""
    from tsr.trainer.config import TrainConfig
    from tsr.trainer.train import train

    config = TrainConfig.preset(
        "fast",
        channels=settings.channels or settings.affordable_channels(),
        steps=settings.steps,
        max_minutes=settings.minutes,
        validate_every=min(50, settings.steps),
    )

    def report(now: "TrainReport | ChoiceReport") -> None:
        progress.show(now.line(config.steps))

    found = train(slow, model, config, device="cpu", overwrite=True, report=report)
    if found.interrupted:
        raise TsrError("interrupted during the training; run the demo again to start over")
    if found.steps < config.steps:
        Told().note(
            f"stopped after {found.steps} of {config.steps} steps: {settings.minutes:g} minutes "
            "were over, so the result falls short of a faster machine's"
        )
    return {
        "channels": config.channels,
        "steps": found.steps,
        "validation_psnr": round(found.psnr, 3),
        "validation_psnr_cubic": round(found.cubic, 3),
    }


def _run(graph: Path, slow: Path, ours: Path, progress: Progress) -> dict[str, Any]:
    """The fast video, lossless; what report.json says of its making."""
    from tsr.runtime.run import run

    def report(now: "RunProgress") -> None:
        progress.show(now.line(progress.seconds))

    made = run(graph, slow, ours, encoder="ffv1", overwrite=True, report=report)
    per_frame = {name: round(value / made.frames, 4) for name, value in made.stages.items()}
    return {"ladder": made.ladder, "seconds_per_frame": per_frame}


def _score(
    truth: Path, slow: Path, ours: Path, factor: int, progress: Progress
) -> dict[str, dict[str, float]]:
    """Means over all frames, per method; "nearest" is what a slow player shows."""
    from tsr.core.clip_io import ClipReader
    from tsr.evaluation.baselines import upsampled
    from tsr.evaluation.compare import compare, mean_scores

    with ClipReader(truth) as reference, ClipReader(ours) as result:
        plain = ("nearest", "linear", "cubic_bp")
        streams = {name: upsampled(ClipReader(slow), factor, name) for name in plain}
        found = compare(
            {**streams, "ours": result}, reference, result.info.num_frames, progress=progress
        )
    return {name: mean_scores(scores) for name, scores in found.items()}


def _show(
    folder: Path, scene: "DemoScene", scores: dict[str, dict[str, float]], num_frames: int
) -> dict[str, float]:
    """Videos and picture; returns how fast the wheel turns in each at full speed."""
    from tsr.pipeline import demo_show

    demo_show.write_videos(folder, scene.factor)
    fast = demo_show.excerpt(folder, scene.factor, demo_show.full_speed_frames(num_frames))
    wheel = demo_show.wheel_speeds(scene, fast)
    shown = {"input": "nearest", "linear": "linear", "ours": "ours"}
    psnr_db = {column: scores[method]["psnr"] for column, method in shown.items()}
    demo_show.write_picture(folder, scene, psnr_db, wheel)
    return wheel


def _columns(scores: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The scores by column first: {"psnr": {"linear": …, "cubic_bp": …, "ours": …}, "ssim": …}."""
    columns = {"psnr": 3, "ssim": 4, "lpips": 4}
    return {
        column: {name: round(scores[name][column], digits) for name in METHODS}
        for column, digits in columns.items()
        if column in scores["ours"]
    }


def _write_report(path: Path, report: dict[str, Any]) -> None:
    from tsr.core.outputs import completed

    with completed(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")


def summary(report: dict[str, Any], folder: Path) -> str:
    """The figures and where things are, for people."""
    titles = {"psnr": "PSNR dB", "ssim": "SSIM", "lpips": "LPIPS"}
    columns = [name for name in titles if name in report]
    lines = ["", f"{'':28}" + "".join(f"{titles[name]:>10}" for name in columns)]
    for method in METHODS:
        values = (f"{report[c][method]:>10.{2 if c == 'psnr' else 4}f}" for c in columns)
        lines.append(f"{TITLES[method]:28}" + "".join(values))
    gain = report["psnr"]["ours"] - report["psnr"]["linear"]
    wheel = report["wheel"]
    lines += [
        "",
        f"{gain:+.2f} dB over linear interpolation, from the slow video alone",
        "the wheel at full speed, in spoke periods per slow frame (+ is clockwise): "
        + ", ".join(f"{name} {value:+.2f}" for name, value in wheel.items()),
        f"{duration(report['seconds']['total'])} in all",
        "",
        f"picture: {folder / 'comparison.png'}",
        f"video:   {folder / 'side_by_side.mp4'} (and slow.mp4, linear.mp4, ours.mp4, truth.mp4)",
        f"figures: {folder / 'report.json'}",
    ]
    return "\n".join(lines)


@command()
@click.argument("folder", type=InPath, default=Path("out/demo"))
@click.option("--steps", type=click.IntRange(min=1), help="Length of the training.")
@click.option("--channels", type=click.IntRange(min=1), help="Width of the network.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="End the training after this time at the latest.",
)
@click.option("--json", "as_json", is_flag=True, help="Print report.json.")
def main(folder: Path, as_json: bool, **changes: Any) -> None:
    """Render a scene too fast for its camera, restore it, and leave the proof in FOLDER."""
    given = {name: value for name, value in changes.items() if value is not None}
    report = demo(folder, DemoSettings(**given))
    click.echo(json.dumps(report) if as_json else summary(report, folder))


if __name__ == "__main__":
    main()
