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
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(model: Path, output: Path | None, fp16: bool, overwrite: bool, as_json: bool) -> None:
    """Export MODEL (.safetensors) to ONNX with dynamic time, height and width."""
    output = output or model.with_suffix(".onnx")
    if output.suffix != ".onnx":
        raise SettingsError(f"output {output} is not an .onnx file; name it so")
    from tsr.export.to_onnx import to_onnx

    card = to_onnx(model, output, half=fp16, overwrite=overwrite)
    click.echo(
        f"wrote {output} ({card.channels} channels, {card.precision}, checked against torch)",
        err=True,
    )
    if as_json:
        click.echo(json.dumps({"output": str(output), **json.loads(card.to_json())}))


if __name__ == "__main__":
    main()
