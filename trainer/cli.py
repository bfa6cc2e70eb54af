"""`tsr-train`: a per-video model from one video."""

import dataclasses
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from tsr.core.console import ClipPath, InPath, Progress, command, duration
from tsr.core.errors import TsrError
from tsr.core.options import START_SCALE, deinterlace_option, device_option, exposure_option
from tsr.core.outputs import named


@command(loads="tsr.trainer.train")
@click.argument("clip", type=ClipPath())
@click.option("-o", "--output", type=InPath, help="Model file. [default: CLIP.safetensors]")
@click.option(
    "--preset",
    type=click.Choice(["fast", "balanced", "paper"]),
    default="fast",
    show_default=True,
    help="fast: minutes on a CPU. balanced: better, half an hour on a CPU, seconds on a GPU. "
    "paper: the paper's schedule, for a GPU.",
)
@click.option("--steps", type=int, help="Length in steps.")
@click.option("--max-minutes", type=float, help="End after this time at the latest.")
@click.option("--channels", type=int, help="Width of the network (the paper's: 128).")
@click.option(
    "--examples",
    type=click.Choice(["auto", "within", "across", "both", "none"]),
    help="Internal examples: rescaled versions of the video (within), swapped axes (across); none: "
    "plain interpolation. [default: auto, the video decides]",
)
@click.option(
    "--interpolation",
    type=click.Choice(["auto", "motion", "cubic"]),
    help="What the network is given to improve: frames moved along their motion, or the paper's "
    "cubic interpolation in time. auto: motion where it foretells the video better. [default: "
    "auto; of the preset paper cubic]",
)
@click.option("--optimiser", type=click.Choice(["adam", "muon"]), help="The paper's: adam.")
@click.option("--policy", type=click.Choice(["budget", "adaptive"]), help="Learning-rate policy.")
@click.option("--learning-rate", type=float, help="Highest learning rate.")
@click.option("--batch", type=int, help="Crops per step.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    help="auto: bf16 on a GPU, and on a CPU that has it. In fp32 on a CPU fast and balanced are "
    "narrower networks, trained for fewer steps.",
)
@click.option("--seed", type=int, help="Start of all random choices.")
@click.option(
    "--factor",
    type=click.Choice(["2", "4", "8"]),
    default="8",
    show_default=True,
    help="That the network shall be best at; tsr-run's default for it.",
)
@click.option(
    "--start-scale",
    type=START_SCALE,
    help="Coarsest rung of the ladder. [default: by frame size and factor]",
)
@exposure_option("estimated from the blur")
@deinterlace_option
@click.option(
    "--start-from",
    "first",
    type=InPath,
    metavar="MODEL",
    help="Start from the weights of this model: a third of the preset's steps then.",
)
@device_option
@click.option("--resume", is_flag=True, help="Go on with an interrupted run.")
@click.option("--overwrite", is_flag=True, help="Replace an existing model.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(
    clip: Path,
    output: Path | None,
    preset: Any,
    factor: str,
    start_scale: str | None,
    exposure: Any,
    deinterlace: str,
    first: Path | None,
    device: str,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a temporal super-resolution network on CLIP alone."""
    from tsr.core.clip_io import probe
    from tsr.core.ladder import ScaleLadder
    from tsr.trainer.precision import preset_here
    from tsr.trainer.train import choose_device, resume_file, train
    from tsr.trainer.warm_start import shortened

    model = output or named(clip).with_suffix(".safetensors")
    config = preset_here(preset, choose_device(device), **settings)
    if first is not None and settings["steps"] is None:
        config = shortened(config)
    show = Progress("train", every_seconds=0)
    result = train(
        clip if deinterlace == "auto" else probe(clip, deinterlace=False),
        model,
        config,
        factor=int(factor),
        ladder=ScaleLadder(Fraction(start_scale), int(factor)) if start_scale else None,
        exposure=exposure,
        start_from=first,
        device=device,
        resume=resume,
        overwrite=overwrite,
        report=lambda report: show.show(report.line(config.steps)),
        note=lambda text: click.echo(text, err=True),
    )
    show.done(
        f"{result.steps} steps in {duration(result.seconds)}; predicts the video from its own "
        f"rect_2 at {result.psnr:.2f} dB (cubic: {result.cubic:.2f} dB)"
    )
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(result), "model": str(model)}))
    if result.interrupted:
        raise TsrError(
            f"interrupted at step {result.steps}; the best so far is in {model} and the state in "
            f"{resume_file(model).name}. Go on with the same command and --resume"
        )
    click.echo(f"wrote {model}", err=True)


if __name__ == "__main__":
    main()
