"""`tsr-run`: a video and its model in, the video at 2, 4 or 8 times the frame rate out."""

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tsr.core.console import (
    ClipPath,
    InPath,
    Progress,
    check_standard_output,
    check_tile,
    command,
    duration,
)
from tsr.core.options import START_SCALE, deinterlace_option, device_option, exposure_option
from tsr.core.pipes import STANDARD

if TYPE_CHECKING:
    from tsr.runtime.run import RunProgress


@command(loads="tsr.runtime.run")
@click.argument("model", type=InPath)
@click.argument("clip", type=ClipPath())
@click.option(
    "-o",
    "--output",
    type=InPath,
    help="Video, folder of PNG, or - for a pipe: Y4M, or Matroska with --encoder. "
    "[default: CLIP_xFACTOR.mp4]",
)
@click.option("--factor", type=click.Choice(["2", "4", "8"]), help="[default: the model's]")
@click.option(
    "--start-scale",
    type=START_SCALE,
    help="Coarsest rung of the paper's ladder; each finer one costs 4 times as much, and is better "
    "on some videos alone. [default: the model's ladder]",
)
@exposure_option()
@click.option("--slow-motion", is_flag=True, help="Same rate, so many times the duration.")
@click.option("--encoder", help="h264, hevc, av1, vp9, prores or ffv1. [default: by the name]")
@click.option(
    "--crf", "quality", type=int, help="Encoder's constant quality: lower is better and larger."
)
@deinterlace_option
@device_option
@click.option(
    "--cpu-engine",
    type=click.Choice(["auto", "onnxruntime", "openvino"]),
    default="auto",
    show_default=True,
    help="auto takes OpenVINO if it is installed; asking for one keeps off the GPU.",
)
@click.option("--tile", type=(int, int, int), help="Frames, rows, columns per network call.")
@click.option("--segment", type=int, help="Input frames at a time; less takes less memory.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(
    model: Path,
    clip: Path,
    output: Path | None,
    factor: str | None,
    start_scale: str | None,
    exposure: float | None,
    slow_motion: bool,
    encoder: str | None,
    quality: int | None,
    deinterlace: str,
    device: str,
    cpu_engine: str,
    tile: tuple[int, int, int] | None,
    segment: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Raise the frame rate of CLIP with MODEL, undoing motion blur and aliasing.

    MODEL is an .onnx, which runs anywhere; for a GPU also a .plan, or a .safetensors as trained.
    CLIP is a video, a folder of PNG images, or - for a video through a pipe, of any kind.
    """
    check_tile(tile)
    check_standard_output(output, as_json)
    if segment is not None and segment < 1:
        raise click.BadParameter(f"{segment} is not a number of frames", param_hint="--segment")
    from tsr.runtime.run import run

    show = Progress("run")

    def report(now: "RunProgress") -> None:
        show.show(now.line(show.seconds))

    result = run(
        model,
        clip,
        output,
        factor=int(factor) if factor else None,
        start=Fraction(start_scale) if start_scale else None,
        exposure=exposure,
        slow_motion=slow_motion,
        encoder=encoder,
        quality=quality,
        deinterlace=deinterlace == "auto",
        device=device,
        cpu_engine=cpu_engine,
        tile=tile,
        segment=segment,
        overwrite=overwrite,
        report=report,
    )
    per_frame = result.seconds / result.frames
    show.done(f"{result.frames} frames in {duration(result.seconds)} ({per_frame:.2f} s per frame)")
    for note in result.notes:
        click.echo(f"note: {note}", err=True)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    place = "standard output" if result.output == STANDARD else result.output
    click.echo(f"wrote {place} ({float(result.fps):g} frames/s)", err=True)


if __name__ == "__main__":
    main()
