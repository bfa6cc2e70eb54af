"""`tsr-export`: a trained model into a file that the runtime executes."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from tsr.core.console import ClipPath, InPath, check_tile, command
from tsr.core.errors import DeviceError, SettingsError
from tsr.core.model_card import ModelCard
from tsr.core.options import deinterlace_option
from tsr.core.outputs import check_output, named

if TYPE_CHECKING:
    from tsr.core.clip_io import ClipInfo
    from tsr.export.to_engine import EngineOptions, EngineResult


@command(loads="tsr.export.to_onnx")
@click.argument("model", type=InPath)
@click.option(
    "-o",
    "--output",
    type=InPath,
    help="Named .onnx, or .plan for TensorRT. [default: MODEL.onnx; with --fp16 also MODEL.plan, "
    "where an engine can be built]",
)
@click.option("--fp16", is_flag=True, help="Convolve in half precision: for GPUs.")
@click.option(
    "--int8", type=ClipPath(), metavar="VIDEO", help="Convolve in 8 bits, calibrated on the video."
)
@click.option("--fp8", type=ClipPath(), metavar="VIDEO", help="The same in FP8, for TensorRT.")
@click.option(
    "--for",
    "reader",
    type=click.Choice(["cpu", "tensorrt"]),
    help="Who reads an 8-bit .onnx; each wants another. [default: cpu, for --fp8 tensorrt]",
)
@click.option(
    "--min-psnr",
    type=click.FloatRange(20, 100),
    help="dB that 8 bits must reach against full precision at the liveliest frame. [default: 50]",
)
@click.option(
    "--video",
    type=ClipPath(),
    help="With --fp16: check this video's liveliest windows for overflow.",
)
@deinterlace_option
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
    int8: Path | None,
    fp8: Path | None,
    reader: Literal["cpu", "tensorrt"] | None,
    min_psnr: float | None,
    video: Path | None,
    deinterlace: str,
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
    beside = named(model).with_suffix(".plan") if fp16 and output is None else None
    output = output or named(model).with_suffix(".onnx")
    if output.suffix not in (".onnx", ".plan"):
        raise SettingsError(f"output {output} is neither an .onnx nor a .plan file; name it so")
    asked = target or capabilities or tile or version_compatible or no_refit
    if output.suffix == ".onnx" and asked:
        raise SettingsError(f"output {output} is an .onnx file; to build an engine, name it x.plan")
    engine = output.suffix == ".plan"
    precision = _Precision(
        fp16, int8, fp8, reader, min_psnr, video, deinterlace == "auto", for_engine=engine
    )
    precision.check(model)
    if beside is not None:
        check_output(beside, inputs=(model,), overwrite=overwrite)
    if not engine:
        card, checked = precision.export(model, output, overwrite)
        said, about = f"{card.channels} channels, {card.precision}, {checked}", card.to_json()
    else:
        from tsr.export.to_engine import EngineOptions
        from tsr.runtime.cuda_backend import TILE

        options = EngineOptions(
            target=target or "auto",
            tile=tile or TILE,
            capabilities=capabilities,
            version_compatible=version_compatible,
            refit=not no_refit,
        )
        result = _engine(model, output, precision, options, overwrite)
        said, about = _said(result), json.dumps(result.to_dict())
    click.echo(f"wrote {output} ({said})", err=True)
    if beside is not None:
        _engine_beside(output, beside, precision, overwrite)
    if as_json:
        click.echo(json.dumps({"output": str(output), **json.loads(about)}))


@dataclass(frozen=True)
class _Precision:
    """What the convolutions compute in, as the command's options say."""

    fp16: bool
    int8: Path | None
    fp8: Path | None
    reader: Literal["cpu", "tensorrt"] | None
    min_psnr: float | None
    video: Path | None
    deinterlace: bool
    for_engine: bool

    @property
    def calibrated_on(self) -> Path | None:
        return self.int8 or self.fp8

    def check(self, model: Path) -> None:
        """Refuse options that do not go together."""
        if sum([self.fp16, self.int8 is not None, self.fp8 is not None]) > 1:
            raise click.UsageError("choose one of --fp16, --int8 and --fp8")
        if self.video and not self.fp16:
            raise click.UsageError("--video goes with --fp16")
        if not self.deinterlace and not (self.video or self.calibrated_on):
            raise click.UsageError("--deinterlace goes with --int8, --fp8 or --video")
        if self.calibrated_on is None and (self.reader or self.min_psnr is not None):
            raise click.UsageError("--for and --min-psnr go with --int8 or --fp8")
        if self.for_engine and self.reader == "cpu":
            raise click.UsageError("a .plan is read by TensorRT; leave out --for cpu")
        if model.suffix == ".onnx" and (self.fp16 or self.calibrated_on):
            raise SettingsError(
                f"{model} has its precision already; leave out --fp16, --int8 and --fp8, or give "
                "the .safetensors"
            )

    def export(self, model: Path, output: Path, overwrite: bool) -> tuple[ModelCard, str]:
        """Write the .onnx file; returns its card, and how it was checked."""
        if self.calibrated_on is None:
            return self._export_plain(model, output, overwrite)
        from tsr.calibration.gate import MIN_PSNR
        from tsr.export.to_quantised import to_quantised

        usual: Any = "cpu" if self.int8 and not self.for_engine else "tensorrt"
        card = to_quantised(
            model,
            self._taken(self.calibrated_on),
            output,
            target=self.reader or usual,
            number="int8" if self.int8 else "fp8",
            min_psnr=MIN_PSNR if self.min_psnr is None else self.min_psnr,
            overwrite=overwrite,
            note=lambda line: click.echo(f"calibrate: {line}", err=True),
        )
        return card, f"{card.calibration['psnr']:.1f} dB against full precision"

    def _taken(self, clip: Path) -> "Path | ClipInfo":
        """The clip, or its info where its flag of interlaced frames is not believed."""
        from tsr.core.clip_io import probe

        return clip if self.deinterlace else probe(clip, deinterlace=False)

    def _export_plain(self, model: Path, output: Path, overwrite: bool) -> tuple[ModelCard, str]:
        from tsr.export.to_onnx import to_onnx

        clip = self._taken(self.video) if self.video else None
        card = to_onnx(model, output, half=self.fp16, clip=clip, overwrite=overwrite)
        checked = "checked against torch"
        if self.video:
            found = card.calibration
            checked += f"; on {self.video.name} sums up to {found['largest']:.0f} of FP16's 65504, "
            checked += f"{found['psnr']:.1f} dB against full precision"
        return card, checked


def _engine_beside(onnx: Path, plan: Path, precision: _Precision, overwrite: bool) -> None:
    """Build an engine of a new FP16 file too; where that cannot be done, say why and go on."""
    from tsr.export.to_engine import EngineOptions

    try:
        result = _engine(onnx, plan, precision, EngineOptions(), overwrite)
    except DeviceError as error:
        click.echo(f"no {plan.name} beside it: {error}", err=True)
        return
    click.echo(f"wrote {plan} ({_said(result)})", err=True)


def _engine(
    model: Path, output: Path, precision: _Precision, options: "EngineOptions", overwrite: bool
) -> "EngineResult":
    from tsr.export.to_engine import choose_library, to_engine

    check_output(output, inputs=(model,), overwrite=overwrite)
    choose_library(options)  # before the minutes of work that would be for nothing
    with tempfile.TemporaryDirectory() as folder:
        onnx = model
        if model.suffix != ".onnx":
            onnx = Path(folder) / f"{model.stem}.onnx"
            _, checked = precision.export(model, onnx, overwrite=False)
            click.echo(f"model: {checked}", err=True)
        return to_engine(onnx, output, options, overwrite=overwrite)


def _said(result: "EngineResult") -> str:
    card = result.card
    made = f"{card.model.channels} channels, {card.model.precision}, {card.library} {card.version}"
    checked = "checked against ONNX Runtime" if result.checked else "not run: no such GPU here"
    return f"{made}, {result.how}, {checked}"


if __name__ == "__main__":
    main()
