"""`tsr-export`: a trained model into a file that the runtime executes."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tsr.core.console import InPath, check_tile, command
from tsr.core.errors import SettingsError

if TYPE_CHECKING:
    from tsr.export.to_engine import EngineOptions, EngineResult


@command()
@click.argument("model", type=InPath)
@click.option(
    "-o", "--output", type=InPath, help="Named .onnx, or .plan for TensorRT. [default: MODEL.onnx]"
)
@click.option("--fp16", is_flag=True, help="Convolve in half precision: for GPUs.")
@click.option(
    "--target",
    type=click.Choice(["auto", "tensorrt", "tensorrt-rtx"]),
    help="For a .plan: who builds it. [default: auto, the first that can]",
)
@click.option(
    "--compute-capability",
    "capabilities",
    multiple=True,
    metavar="8.9",
    help="For a .plan: build for such GPUs, by tensorrt-rtx, without one; repeatable.",
)
@click.option(
    "--tile", type=(int, int, int), help="For a .plan: frames, rows, columns per network call."
)
@click.option(
    "--version-compatible",
    is_flag=True,
    help="For a .plan: also newer versions and the lean runtime shall load it.",
)
@click.option(
    "--no-refit",
    is_flag=True,
    help="For a .plan: build for this model alone, past the cached engine.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(
    model: Path,
    output: Path | None,
    fp16: bool,
    target: str | None,
    capabilities: tuple[str, ...],
    tile: tuple[int, int, int] | None,
    version_compatible: bool,
    no_refit: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Export MODEL (.safetensors) to ONNX with dynamic time, height and width, or MODEL
    (.safetensors or .onnx) to a TensorRT engine."""
    check_tile(tile)
    output = output or model.with_suffix(".onnx")
    if output.suffix not in (".onnx", ".plan"):
        raise SettingsError(f"output {output} is neither an .onnx nor a .plan file; name it so")
    asked = target or capabilities or tile or version_compatible or no_refit
    if output.suffix == ".onnx" and asked:
        raise SettingsError(f"output {output} is an .onnx file; to build an engine, name it x.plan")
    if model.suffix == ".onnx" and fp16:
        raise SettingsError(f"{model} has its precision already; leave out --fp16")
    if output.suffix == ".plan":
        from tsr.export.to_engine import EngineOptions
        from tsr.runtime.cuda_backend import TILE

        options = EngineOptions(
            target=target or "auto",
            tile=tile or TILE,
            capabilities=capabilities,
            version_compatible=version_compatible,
            refit=not no_refit,
        )
        said, about = _engine(model, output, fp16, options, overwrite)
    else:
        said, about = _onnx(model, output, fp16, overwrite)
    click.echo(f"wrote {output} ({said})", err=True)
    if as_json:
        click.echo(json.dumps({"output": str(output), **about}))


def _onnx(model: Path, output: Path, fp16: bool, overwrite: bool) -> tuple[str, dict[str, object]]:
    from tsr.export.to_onnx import to_onnx

    card = to_onnx(model, output, half=fp16, overwrite=overwrite)
    said = f"{card.channels} channels, {card.precision}, checked against torch"
    return said, json.loads(card.to_json())


def _engine(
    model: Path, output: Path, fp16: bool, options: "EngineOptions", overwrite: bool
) -> tuple[str, dict[str, object]]:
    from tsr.core.outputs import check_output
    from tsr.export.to_engine import choose_library, to_engine
    from tsr.export.to_onnx import to_onnx

    check_output(output, inputs=(model,), overwrite=overwrite)
    choose_library(options)  # before the minutes of work that would be for nothing
    with tempfile.TemporaryDirectory() as folder:
        onnx = model
        if model.suffix != ".onnx":
            onnx = Path(folder) / f"{model.stem}.onnx"
            to_onnx(model, onnx, half=fp16)
        result = to_engine(onnx, output, options, overwrite=overwrite)
    return _said(result), {"how": result.how, "checked": result.checked, **result.card.to_dict()}


def _said(result: "EngineResult") -> str:
    card = result.card
    made = f"{card.model.channels} channels, {card.model.precision}, {card.library} {card.version}"
    checked = "checked against ONNX Runtime" if result.checked else "not run: no such GPU here"
    return f"{made}, {result.how}, {checked}"


if __name__ == "__main__":
    main()
