"""`tsr`: one command from a video to the video at 2, 4 or 8 times its frame rate."""

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tsr.core.console import ClipPath, InPath, command, duration
from tsr.core.errors import TsrError
from tsr.core.options import deinterlace_option, device_option, exposure_option
from tsr.pipeline.cache_cli import cache_word
from tsr.pipeline.doctor_cli import doctor_word
from tsr.pipeline.options import QUALITIES, Options
from tsr.pipeline.words import CommandWithWords, complete

if TYPE_CHECKING:
    from tsr.pipeline.batch import Outcome
    from tsr.pipeline.told import Told

TIME = r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)"
"""Hours and minutes if given, and seconds: 1:02:03.5, 02:03, 3."""


class TimeRange(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on
    """`FROM-TO`; either may be left out."""

    name = "from-to"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Fraction, Fraction]:
        """Both in seconds."""
        found = re.fullmatch(f"(?:{TIME})?-(?:{TIME})?", str(value).strip())
        if found is None or value.strip() == "-":
            self.fail(f"{value!r} is no range of time; write it as 00:05-00:12 or 5-12.5")
        begin = _seconds(found.groups()[:3]) or Fraction(0)
        end = _seconds(found.groups()[3:])
        if end is not None and end <= begin:
            self.fail(f"{value!r} ends before it begins")
        return begin, Fraction(10**9) if end is None else end


def _seconds(parts: tuple[str | None, ...]) -> Fraction | None:
    hours, minutes, seconds = parts
    if seconds is None:
        return None
    return Fraction(seconds) + 60 * int(minutes or 0) + 3600 * int(hours or 0)


@command(
    loads="tsr.pipeline.batch",
    cls=CommandWithWords,
    words={"doctor": doctor_word, "cache": cache_word},
)
@click.argument(
    "inputs", type=ClipPath(), nargs=-1, required=True, metavar="IN…", shell_complete=complete
)
@click.option(
    "-o",
    "--output",
    type=InPath,
    help="Video, or folder of PNG; of several inputs, the folder for their videos. "
    "[default: IN_xFACTOR.mp4 beside each]",
)
@click.option(
    "--quality",
    type=click.Choice(QUALITIES),
    default="fast",
    show_default=True,
    help="How long to learn. On two cores with bf16 fast takes about 6 minutes, balanced 3 times "
    "and best 10 times as long.",
)
@click.option(
    "--factor",
    type=click.Choice(["2", "4", "8"]),
    default="8",
    show_default=True,
    help="Output frames per input frame.",
)
@click.option("--slow-motion", is_flag=True, help="Same rate, so many times the duration.")
@click.option(
    "--range",
    "part",
    type=TimeRange(),
    metavar="FROM-TO",
    help="Raise the rate of this part alone, as 00:05-00:12; the rest keeps its frames and times.",
)
@click.option(
    "--shots/--no-shots",
    default=True,
    show_default=True,
    help="Cut the video into its shots: none is blended into the next, each has its network.",
)
@click.option(
    "--keep-duplicates",
    is_flag=True,
    help="Take repeated frames for frames, instead of raising the true rate of held pictures.",
)
@click.option(
    "--overlays/--no-overlays",
    default=True,
    show_default=True,
    help="Keep the pixels of logos, captions and displays that stand still.",
)
@click.option("--encoder", help="h264, hevc, av1, vp9, prores or ffv1. [default: by the name]")
@click.option("--crf", type=int, help="Encoder's constant quality: lower is better and larger.")
@deinterlace_option
@exposure_option("estimated for each shot")
@click.option(
    "--max-minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="End the learning of a shot after this time at the latest.",
)
@device_option
@click.option(
    "--preview",
    is_flag=True,
    help="Only the liveliest two seconds, beside linear interpolation, to OUTPUT_preview.mp4.",
)
@click.option("--cache", type=InPath, help="Folder for what is kept between runs.")
@click.option(
    "--report",
    type=InPath,
    metavar="HTML",
    help="Also write a page that shows what happened; of several inputs, the folder for theirs.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing outputs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON event per line on standard output.")
def main(
    inputs: tuple[Path, ...],
    output: Path | None,
    factor: str,
    cache: Path | None,
    report: Path | None,
    as_json: bool,
    preview: bool,
    deinterlace: str,
    **given: Any,
) -> None:
    """Raise the frame rate of videos, undoing motion blur and aliasing: learn from each video,
    export the network, run it. What is done is kept: a second run does only what changed, a killed
    one goes on where it was."""
    from tsr.pipeline.batch import make_all, tasks
    from tsr.pipeline.cache import Cache
    from tsr.pipeline.told import Told

    if preview and report is not None:
        raise click.BadParameter("a preview has no report; leave out one", param_hint="--report")
    options = Options(factor=int(factor), deinterlace=deinterlace == "auto", **given)
    told = Told(as_json=as_json)
    todo = tasks(inputs, output, options.factor, report)
    try:
        outcomes = make_all(todo, options, Cache(cache), told, preview=preview)
    except KeyboardInterrupt:
        raise TsrError("interrupted; the same command goes on from there") from None
    _sum_up(outcomes, told)


def _sum_up(outcomes: "list[Outcome]", told: "Told") -> None:
    """Say what became of each input.

    Raises:
        TsrError: an input failed.
    """
    failed = [outcome for outcome in outcomes if outcome.error]
    kept = sum(outcome.kept for outcome in outcomes)
    told.about()
    done = len(outcomes) - len(failed) - kept
    told.event("summary", done=done, kept=kept, failed=len(failed))
    if not outcomes[0].task.in_batch:
        if failed:
            raise TsrError(failed[0].error)
        told.line(f"wrote {outcomes[0].wrote}")
        return
    width = max(len(str(outcome.task.clip)) for outcome in outcomes)
    for outcome in outcomes:
        if (record := outcome.record) is not None:
            seconds = sum(record.seconds.get(s, 0.0) for s in ("train", "export", "render"))
            said = f"{record.output} ({record.precision}, {duration(seconds)})"
        elif outcome.kept:
            said = f"{outcome.wrote} was there already; --overwrite makes it anew"
        else:
            said = f"failed: {outcome.error}" if outcome.error else str(outcome.wrote)
        told.line(f"{outcome.task.clip!s:{width}}  {said}")
    if failed:
        raise TsrError(f"{len(failed)} of {len(outcomes)} inputs failed; see above")


if __name__ == "__main__":
    main(prog_name="tsr")
