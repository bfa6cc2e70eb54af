"""`tsr-export`: a trained model into a file that the runtime executes."""

import json
from pathlib import Path

import click

from tsr.core.console import InPath, command
from tsr.core.errors import SettingsError


@command()
@click.argument("model", type=InPath)
@click.option("-o", "--output", type=InPath, help="[default: MODEL.onnx]")
@click.option("--fp16", is_flag=True, help="Convolve in half precision: for GPUs.")
@click.option(
    "--int8", type=InPath, metavar="VIDEO", help="Convolve in 8 bits, calibrated on the video."
)
@click.option("--fp8", type=InPath, metavar="VIDEO", help="The same in FP8, for TensorRT.")
@click.option(
    "--for",
    "target",
    type=click.Choice(["cpu", "tensorrt"]),
    help="Who reads an 8-bit file; each wants another. [default: cpu, for --fp8 tensorrt]",
)
@click.option(
    "--min-psnr",
    type=click.FloatRange(20, 100),
    help="dB that 8 bits must reach against full precision at the liveliest frame. [default: 50]",
)
@click.option(
    "--video", type=InPath, help="With --fp16: check this video's liveliest windows for overflow."
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(
    model: Path,
    output: Path | None,
    fp16: bool,
    int8: Path | None,
    fp8: Path | None,
    target: str | None,
    min_psnr: float | None,
    video: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Export MODEL (.safetensors) to ONNX with dynamic time, height and width."""
    if sum([fp16, int8 is not None, fp8 is not None]) > 1:
        raise click.UsageError("choose one of --fp16, --int8 and --fp8")
    if video and not fp16:
        raise click.UsageError("--video goes with --fp16")
    calibrated_on = int8 or fp8
    if calibrated_on is None and (target or min_psnr is not None):
        raise click.UsageError("--for and --min-psnr go with --int8 or --fp8")
    output = output or model.with_suffix(".onnx")
    if output.suffix != ".onnx":
        raise SettingsError(f"output {output} is not an .onnx file; name it so")
    if calibrated_on is None:
        from tsr.export.to_onnx import to_onnx

        card = to_onnx(model, output, half=fp16, clip=video, overwrite=overwrite)
        checked = "checked against torch"
        if video:
            found = card.calibration
            checked += f"; on {video.name} sums up to {found['largest']:.0f} of FP16's 65504, "
            checked += f"{found['psnr']:.1f} dB against full precision"
    else:
        from tsr.calibration.gate import MIN_PSNR
        from tsr.export.to_quantised import to_quantised

        card = to_quantised(
            model,
            calibrated_on,
            output,
            target=target or ("cpu" if int8 else "tensorrt"),  # type: ignore[arg-type]
            number="int8" if int8 else "fp8",
            min_psnr=MIN_PSNR if min_psnr is None else min_psnr,
            overwrite=overwrite,
            note=lambda line: click.echo(f"calibrate: {line}", err=True),
        )
        checked = f"{card.calibration['psnr']:.1f} dB against full precision"
    click.echo(f"wrote {output} ({card.channels} channels, {card.precision}, {checked})", err=True)
    if as_json:
        click.echo(json.dumps({"output": str(output), **json.loads(card.to_json())}))


if __name__ == "__main__":
    main()
