"""`tsr-check`: do two model files compute the same?"""

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tsr.core.console import ClipPath, InPath, Progress, check_installed, command
from tsr.core.errors import ModelError, OutputError, SettingsError
from tsr.core.options import START_SCALE

if TYPE_CHECKING:
    from tsr.export.check import CheckReport

NEEDED = {"polygraphy": "polygraphy", "PIL": "pillow"}


def _print_script(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(Path(__file__).with_name("polygraphy_data.py"))
        context.exit()


@command(loads="tsr.export.to_onnx")
@click.argument("first", metavar="A", type=InPath)
@click.argument("second", metavar="B", type=InPath)
@click.option(
    "--video", type=ClipPath(), help="Compare on this video's windows. [default: made up]"
)
@click.option(
    "--start-scale",
    type=START_SCALE,
    help="Coarsest rung of the ladder on the video. [default: the model's]",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="Largest difference of a value in [0, 1]. [default: by the precision]",
)
@click.option("--min-psnr", type=float, help="dB that each window needs. [default: by precision]")
@click.option(
    "--windows",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Windows per rung of the ladder.",
)
@click.option(
    "--picture", type=InPath, help="Where they differ. [default: B_differs.png, if they do]"
)
@click.option("--overwrite", is_flag=True, help="Replace an existing picture.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--data-loader-script",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_script,
    help="Print the path of a script for `polygraphy run --data-loader-script`, and exit.",
)
def main(
    first: Path,
    second: Path,
    video: Path | None,
    start_scale: str | None,
    tolerance: float | None,
    min_psnr: float | None,
    windows: int,
    picture: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compare the networks of the files A and B at every rung of the ladder.

    .safetensors runs in torch, .onnx in ONNX Runtime, .plan in TensorRT. Exit status 1 if they
    differ by more than rounding.
    """
    check_installed("tsr-check", "check", NEEDED)
    _choose_tensorrt(first, second)
    from tsr.core.outputs import check_output
    from tsr.export.check import check

    if picture is not None:
        if picture.suffix != ".png":
            raise SettingsError(f"picture {picture} is not a .png file; name it so")
        check_output(picture, inputs=(first, second), overwrite=overwrite)
    progress = Progress("check", quiet=as_json)
    found = check(
        first,
        second,
        video=video,
        start=Fraction(start_scale) if start_scale else None,
        tolerance=tolerance,
        min_psnr=min_psnr,
        windows=windows,
        report=progress.show,
    )
    progress.end_line()
    drawn = _draw(found, picture, overwrite)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    if as_json:
        click.echo(json.dumps({**found.to_dict(), "picture": str(drawn) if drawn else None}))
    else:
        click.echo(table(found))
    if not found.agrees:
        raise ModelError(f"{verdict(found)}{f'; see {drawn}' if drawn else ''}")
    click.echo(verdict(found), err=True)
    if drawn:
        click.echo(f"wrote {drawn}", err=True)


def _choose_tensorrt(*models: Path) -> None:
    """Tell Polygraphy, which reads it when it is imported, whose engines it will be given."""
    from tsr.core.plan_file import read_plan

    engines = [read_plan(model)[1] for model in models if model.suffix == ".plan"]
    if any(engine.library == "tensorrt_rtx" for engine in engines):
        os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = "1"


def table(found: "CheckReport") -> str:
    """The figures of every rung as text."""
    lines = [f"on {found.tiles}", ""]
    head = ("rung", "windows", "worst", "mean", "PSNR dB", "worst at")
    rows = [
        (
            str(rung.rung),
            str(rung.windows),
            f"{rung.worst:.1e}",
            f"{rung.mean:.1e}",
            f"{rung.psnr:.1f}",
            rung.where,
        )
        for rung in found.rungs
    ]
    for name, *figures, where in (head, *rows):
        lines.append(f"{name:<12}" + "".join(f"{text:>10}" for text in figures) + f"   {where}")
    return "\n".join(lines)


def verdict(found: "CheckReport") -> str:
    """One line: the worst, where it is, and what was allowed."""
    worst, allowed = found.worst, found.tolerance
    return (
        f"{found.second} {'agrees with' if found.agrees else 'differs from'} {found.first}: "
        f"{worst.rung} is off by {worst.worst:.1e} at {worst.where} (allowed {allowed.worst:.1e}), "
        f"{worst.psnr:.1f} dB (needed {allowed.min_psnr:g})"
    )


def _draw(found: "CheckReport", picture: Path | None, overwrite: bool) -> Path | None:
    """The picture asked for, or else one beside B if they differ and nothing is in the way."""
    from tsr.core.outputs import check_output
    from tsr.export.check_picture import check_picture

    if picture is not None:
        check_picture(found, picture)
        return picture
    if found.agrees:
        return None
    picture = found.second.with_name(f"{found.second.stem}_differs.png")
    try:
        check_output(picture, overwrite=overwrite)
        check_picture(found, picture)
    except OutputError as error:  # that they differ is what the last line must say
        found.notes.append(f"no picture was made: {error}")
        return None
    return picture


if __name__ == "__main__":
    main()
