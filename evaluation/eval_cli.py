"""tsr-eval: score a result against the truth."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tsr.core.console import ClipPath, command

if TYPE_CHECKING:
    from tsr.evaluation.eval import Evaluation

FORMATS = {"psnr": "{:.2f}", "ssim": "{:.4f}", "lpips": "{:.4f}"}
TITLES = {"psnr": "PSNR dB", "ssim": "SSIM", "lpips": "LPIPS"}


@command(loads="tsr.core.clip_io")
@click.argument("output", type=ClipPath())
@click.argument("truth", type=ClipPath())
@click.option(
    "--skip-ends",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="Leave N frames out at either end.",
)
@click.option("--per-frame", is_flag=True, help="Print every frame's scores, too.")
@click.option("--lpips/--no-lpips", default=True, help="Measure LPIPS if its extra is installed.")
@click.option("--json", "as_json", is_flag=True, help="Print all scores as JSON.")
def main(
    output: Path, truth: Path, skip_ends: int, per_frame: bool, lpips: bool, as_json: bool
) -> None:
    """Score the video OUTPUT against the true fast video TRUTH.

    PSNR and SSIM (higher is better) and, with the extra `lpips`, LPIPS (lower is better): each
    frame over all its pixels and channels, then the mean over frames.
    """
    from tsr.core.console import Progress, duration
    from tsr.evaluation.eval import evaluate

    progress = Progress("eval", quiet=as_json)
    found = evaluate(output, truth, skip_ends=skip_ends, with_lpips=lpips, progress=progress)
    progress.done(f"{found.num_frames} frames in {duration(progress.seconds)}")
    if as_json:
        click.echo(json.dumps(found.to_json()))
        return
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(table(found, per_frame=per_frame))


def table(found: "Evaluation", *, per_frame: bool = False) -> str:
    """The scores as text: mean and worst frame, after the single frames if they are wanted."""
    lines = [["", *(TITLES[column] for column in found.scores)]]
    if per_frame:
        for number in range(found.num_frames):
            values = (FORMATS[c].format(v[number]) for c, v in found.scores.items())
            lines.append([f"frame {found.first_frame + number}", *values])
    lines.append(["mean", *(FORMATS[c].format(found.mean(c)) for c in found.scores)])
    worst = {column: found.worst(column) for column in found.scores}
    lines.append(["worst", *(FORMATS[c].format(value) for c, (value, _) in worst.items())])
    lines.append(["in frame", *(str(number) for _, number in worst.values())])
    return "\n".join(f"{name:<12}" + "".join(f"{v:>10}" for v in row) for name, *row in lines)


if __name__ == "__main__":
    main()
