"""What is looked at first: before and after, lively places enlarged, lines of pixels over time."""

import numpy as np

from tsr.pipeline.report.footage import Footage
from tsr.pipeline.report.markup import image, section, text, timecode
from tsr.pipeline.report.moments import KINDS, Gathered, Moment, Slices
from tsr.pipeline.report.pictures import Levels, exact, photo, side_by_side

FRAME_WIDTH = 1280
"""Widest picture of a whole frame."""

NAMES = {"input": "Input", "linear": "Linear interpolation", "ours": "Result"}
EXPLAINED = {
    "input": "the frame of the slow video, held",
    "linear": "neighbouring frames mixed",
    "ours": "this run's output",
}


def compare_section(footage: Footage, found: Gathered) -> str:
    """Sliders, players and strips of a few moments."""
    intro = (
        "<p>The liveliest moments of the video. Drag the line, or move it by the arrow keys. "
        "Below, the place that moves most, enlarged, output frame by output frame.</p>"
    )
    moments = [_moment(footage, n, moment) for n, moment in enumerate(found.moments, start=1)]
    return section("compare", "Before and after", intro, *moments)


def slices_section(footage: Footage, slices: Slices) -> str:
    """A row of pixels over time, and a column where that differs more."""
    times = f"{timecode(footage.seconds(slices.start))} to " + timecode(
        footage.seconds(slices.stop - 1)
    )
    intro = (
        "<p>One row of pixels, through the liveliest place, from each output frame to the next; "
        "time runs down. A motion is a streak, and its tilt is direction and speed. Steps are "
        "frames held, faint doubles are frames mixed, and smooth streaks are motion.</p>"
    )
    rows = {kind: np.stack(lines) for kind, lines in slices.across.items()}
    parts = [f"<h3>Row {slices.row}, {times}</h3>", _slices(rows, "row of pixels over time")]
    if slices.down_tells_more:
        # Time runs down here, too: the column's top is at the left.
        columns = {kind: np.stack(lines) for kind, lines in slices.down.items()}
        title = f"<h3>Column {slices.column}, its top at the left, {times}</h3>"
        parts += [title, _slices(columns, "column of pixels over time")]
    return section("slices", "Motion over time", intro, *parts)


def _slices(lines: dict[str, Levels], what: str) -> str:
    figures = [
        f"<figure>{image(exact(lines[kind]), f'{NAMES[kind]}: {what}')}"
        f"<figcaption>{_name(kind)}</figcaption></figure>"
        for kind in KINDS
    ]
    return f'<div class="slices">{"".join(figures)}</div>'


def _moment(footage: Footage, number: int, moment: Moment) -> str:
    factor = footage.record.factor
    source, instant = divmod(moment.instant, factor)
    frame = moment.start + source
    title = (
        f"<h3>{timecode(footage.seconds(frame))}, input frame {frame}, "
        f"output frame {instant + 1} of {factor} in its exposure</h3>"
    )
    label = f"Moment {number}: how much of the picture shows the left side"
    return (
        f'<div class="moment">{title}{_compare(footage, number, moment, label)}'
        f"{_player(footage, number, moment)}</div>"
    )


def _compare(footage: Footage, number: int, moment: Moment, label: str) -> str:
    ratio = footage.pixel_ratio
    height, width = footage.size
    cut = min(max(100 * moment.peak.column / width, 20), 80)
    pictures = {
        kind: photo(pixels, width=FRAME_WIDTH, ratio=ratio)
        for kind, pixels in moment.frames.items()
    }
    hidden = "".join(
        f'<img class="{kind}" src="{pictures[kind]}" alt="{_seen(kind)}" hidden>'
        for kind in ("input", "linear")
    )
    choices = "".join(
        f'<label><input type="radio" name="left-{number}" value="{kind}" '
        f'data-name="{NAMES[kind]}"{" checked" if kind == "input" else ""}> {NAMES[kind].lower()}'
        "</label>"
        for kind in ("input", "linear")
    )
    return (
        f'<div class="compare">'
        f'<div class="stage" style="aspect-ratio:{width * ratio:.4g}/{height}">'
        f'<img class="after" src="{pictures["ours"]}" alt="{_seen("ours")}">'
        f'<img class="before" alt=""><span class="handle"></span>'
        f'<span class="tag left">{NAMES["input"]}</span>'
        f'<span class="tag right">{NAMES["ours"]}</span>'
        f'<input type="range" min="0" max="100" step="0.5" value="{cut:.0f}" '
        f'aria-label="{text(label)}">'
        f'</div>{hidden}<fieldset class="controls"><legend>Left side:</legend>{choices}</fieldset>'
        "</div>"
    )


def _player(footage: Footage, number: int, moment: Moment) -> str:
    strips = {
        kind: photo(side_by_side(crops), ratio=footage.pixel_ratio)
        for kind, crops in moment.strip.items()
    }
    count = len(moment.strip["ours"])
    shape = f"{moment.box.width * footage.pixel_ratio:.4g}/{moment.box.height}"
    panels = "".join(
        f'<figure><div class="panel {kind}" data-count="{len(moment.strip[kind])}" '
        f'style="aspect-ratio:{shape}"><img src="{strips[kind]}" '
        f'style="width:{100 * len(moment.strip[kind])}%" alt="{_seen(kind)}, enlarged"></div>'
        f"<figcaption>{_name(kind)}<br><span>{EXPLAINED[kind]}</span></figcaption></figure>"
        for kind in KINDS
    )
    films = "".join(
        f'<p class="film-name">{NAMES[kind]}</p><div class="film" tabindex="0" role="group" '
        f'aria-label="{NAMES[kind]}, all frames"><img data-strip="{kind}" '
        f'alt="{_seen(kind)}, frame by frame"></div>'
        for kind in KINDS
    )
    box = moment.box
    opened = " open" if number == 1 else ""
    return (
        f'<div class="player" data-count="{count}"><div class="panels">{panels}</div>'
        f'<div class="bar"><button type="button">Play</button><input type="range" min="0" '
        f'max="{count - 1}" value="{moment.instant}" aria-label="Moment {number}: output frame">'
        f"<output></output></div>"
        f"<details{opened}><summary>All {count} output frames side by side</summary>{films}"
        f'<p class="note">{box.width}×{box.height} pixels at column {box.left}, row {box.top}.</p>'
        "</details></div>"
    )


def _name(kind: str) -> str:
    style = ' class="ours-name"' if kind == "ours" else ""
    return f"<span{style}>{NAMES[kind]}</span>"


def _seen(kind: str) -> str:
    return text(f"{NAMES[kind]}: {EXPLAINED[kind]}")
