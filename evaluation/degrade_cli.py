"""tsr-degrade: make a slow video of a fast one, to score results against the fast one."""

import json
from pathlib import Path

import click

from tsr.core.console import ClipPath, InPath, check_standard_output, command
from tsr.core.pipes import STANDARD


@command(loads="tsr.core.clip_io")
@click.argument("truth", type=ClipPath())
@click.option(
    "-f",
    "--factor",
    type=click.IntRange(min=2),
    default=8,
    show_default=True,
    help="Frames averaged into one.",
)
@click.option(
    "-o",
    "--output",
    type=InPath,
    help="The slow video; TRUTH_d8.mkv beside TRUTH when left out. An .mkv, or a name without "
    "suffix (a folder of PNG images), is lossless.",
)
@click.option(
    "--exposure",
    type=click.FloatRange(min=0, min_open=True, max=1),
    default=1.0,
    show_default=True,
    help="Part of each group of frames during which the shutter is open.",
)
@click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(
    truth: Path, factor: int, output: Path | None, exposure: float, overwrite: bool, as_json: bool
) -> None:
    """Make a slow video of the fast video TRUTH.

    Each frame is the mean of FACTOR consecutive frames, as a camera with that much less frame rate
    would have seen them: blurred and aliased. TRUTH is then what tsr's result of it can be scored
    against, with tsr-eval. Trailing frames that fill no group are left out.
    """
    from tsr.core.console import Progress, duration
    from tsr.core.outputs import check_output
    from tsr.evaluation.degrade import default_output, degrade

    check_standard_output(output, as_json)
    output = output or default_output(truth, factor)
    check_output(output, inputs=(truth,), overwrite=overwrite)
    progress = Progress("degrade", quiet=as_json)
    report = degrade(truth, output, factor, exposure, progress=progress)
    progress.done(f"{report.frames_out} frames in {duration(progress.seconds)}")
    if as_json:
        click.echo(json.dumps(report.to_json()))
        return
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    summary = f"{output}: {report.frames_in} frames → {report.frames_out} at {report.fps} fps"
    click.echo(summary, err=output == STANDARD)


if __name__ == "__main__":
    main()
