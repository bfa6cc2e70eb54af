"""What backs the result: the certificate, the motion beyond the limit, the training."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from tsr.core.console import percent
from tsr.pipeline.record import ShotRecord
from tsr.pipeline.report.charts import Axes, bars, curve
from tsr.pipeline.report.footage import Footage
from tsr.pipeline.report.markup import (
    NUMBER,
    WRAP,
    decibels,
    figure,
    image,
    pairs,
    paragraph,
    section,
    table,
    text,
    timecode,
)
from tsr.pipeline.report.moments import Moment
from tsr.pipeline.report.nyquist import Finding, Verdicts
from tsr.pipeline.report.phases import CELL, LEVELS, PERIOD, reduction_for
from tsr.pipeline.report.pictures import HEAT, exact, heat, photo, pooled
from tsr.pipeline.report.survey import SLOTS, Certificate

MAP_WIDTH = 560
"""Widest map."""
LISTED = 8
"""Findings in the table."""
CURVES = 12
"""Shots whose curve is drawn."""


def certificate_section(footage: Footage, found: Certificate) -> str:
    """The output, averaged over each exposure, against the input."""
    style, verdict = _verdict(footage, found)
    rows = [
        ("largest error", f"{found.worst:.2f} / 255 (input frame {found.worst_frame})"),
        ("mean error", f"{found.mean:.3f} / 255"),
        ("PSNR", f"{found.psnr:.1f} dB"),
        ("pixels with a black or white output", percent(found.clipped)),
        ("largest error there", f"{found.clipped_worst:.2f} / 255"),
        ("encoding of the output", footage.codec + ("" if footage.lossless else ", lossy")),
    ]
    most = max(1.0, float(np.ceil(found.worst)))
    picture = exact(heat(pooled(found.error_map, MAP_WIDTH), most))
    caption = "Each pixel's largest error over the whole video, where nothing clipped."
    described = "map of the largest error of each pixel"
    return section(
        "certificate",
        "Re-blur certificate",
        paragraph(
            "A result may only show what the camera could have seen: the output frames that cover "
            "an input frame's exposure, averaged, must give that frame back. Where an output is "
            "black or white, a darker or brighter value was cut off, and the average falls "
            "short; such pixels are counted apart."
        ),
        f'<p><span class="verdict {style}">{text(verdict)}</span></p>',
        '<div class="columns">',
        pairs(rows),
        f"<div>{figure(image(picture, described), caption)}{_ramp(most)}</div>",
        "</div>",
    )


def _verdict(footage: Footage, found: Certificate) -> tuple[str, str]:
    if found.worst <= 1.0:
        return "good", "Kept: no unclipped pixel is more than 1/255 off"
    if not footage.lossless:
        loss = f"what {footage.codec} loses is in these errors; --encoder ffv1 loses nothing"
        return "warn", f"Limited by the lossy encoding of the output: {loss}"
    return "warn", f"Not kept everywhere: up to {found.worst:.1f}/255"


def _ramp(most: float) -> str:
    colours = ", ".join(f"rgb{colour}" for colour in HEAT)
    return (
        f'<div class="ramp"><span>0</span><i style="background:linear-gradient(90deg,{colours})">'
        f"</i><span>{most:g} / 255</span></div>"
    )


def nyquist_section(footage: Footage, verdicts: Sequence[Verdicts] | None, moment: Moment) -> str:
    """Where motion was beyond the limit, and what was decided."""
    title = "Faster than the camera"
    intro = paragraph(
        "A pattern that moves more than half its own period from one input frame to the next seems "
        "to move the other way, or too slowly: the Nyquist limit in time. For places that change, "
        "this compares what the input seems to show with how the result moves between the same "
        "two instants."
    )
    if not verdicts:
        return section("nyquist", title, intro, paragraph("Nothing here could be examined."))
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    parts = [intro, f"<p><strong>{text(summary(verdicts))}</strong></p>"]
    if findings:
        shares = _timeline(footage, verdicts)
        parts += ['<div class="columns">', _map(footage, verdicts, moment), shares, "</div>"]
        parts.append(_listed(footage, findings))
    parts.append(_limits(footage, len(verdicts)))
    return section("nyquist", title, *parts)


def summary(verdicts: Sequence[Verdicts]) -> str:
    """How many places, and what became of them."""
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    moving = sum(int(verdict.moving.sum()) for verdict in verdicts)
    frames = sum(bool(verdict.findings) for verdict in verdicts)
    if not findings:
        return (
            f"No motion beyond the limit was found in {len(verdicts)} input frames examined "
            f"({moving} moving places)."
        )
    resolved = sum(finding.resolved for finding in findings)
    turned = sum(finding.resolved and bool(finding.reversed) for finding in findings)
    left = len(findings) - resolved
    line = (
        f"Beyond the limit in {frames} of {len(verdicts)} input frames examined: "
        f"{len(findings)} of {moving} moving places. The result moves {resolved} of them faster "
        f"than they seem, {turned} of these the other way"
    )
    return f"{line}; {left} it leaves as they seem." if left else f"{line}."


def decision(finding: Finding) -> str:
    """What the result did with one place, in words."""
    if not finding.resolved:
        left = "left as it seems" if finding.apparent is not None else "kept within the limit"
        return f"{left}, although coarser structures move further"
    said = {True: "; coarser structures agree", False: "; coarser structures do not", None: ""}
    how = {
        True: "direction turned round",
        False: "same way, faster",
        None: "blurred away in the input",
    }
    return how[finding.reversed] + said[finding.backed]


def arrow(angle: float, periods: float | None) -> str:
    """A motion as an arrow and its speed."""
    if periods is None:
        return "not visible"
    towards = angle + (180 if periods < 0 else 0)
    return f"{'→↘↓↙←↖↑↗'[round(towards / 45) % 8]} {abs(periods):.2f}"


def _map(footage: Footage, verdicts: Sequence[Verdicts], moment: Moment) -> str:
    """Places over a picture, the stronger the more often."""
    height, width = footage.size
    side = CELL * reduction_for(height, width)
    often = np.sum([verdict.beyond for verdict in verdicts], axis=0)
    places = "".join(
        f'<rect x="{column * side}" y="{row * side}" width="{side}" height="{side}" '
        f'fill="#ff6a3c" fill-opacity="{0.25 + 0.6 * often[row, column] / often.max():.2f}"/>'
        for row, column in np.argwhere(often)
    )
    picture = image(photo(moment.frames["input"], width=MAP_WIDTH * 2), "a frame of the input")
    drawn = (
        f'<div class="map dim">{picture}<svg viewBox="0 0 {width} {height}" '
        f'preserveAspectRatio="none" role="img" aria-label="places beyond the limit">{places}</svg>'
        "</div>"
    )
    most = "once" if often.max() == 1 else f"{often.max()} times"
    return figure(drawn, f"Places beyond the limit; the strongest colour: {most}.")


def _timeline(footage: Footage, verdicts: Sequence[Verdicts]) -> str:
    points = [
        (
            footage.seconds(verdict.number),
            100 * float(verdict.beyond.sum()) / max(int(verdict.moving.sum()), 1),
        )
        for verdict in verdicts
    ]
    top = max(5.0, float(np.ceil(max(y for _, y in points) / 5) * 5))
    names = Axes("time in the input, s", "of moving places, %")
    label = "share of moving places beyond the limit over time"
    chart = bars(points, top, label=label, names=names, first=points[0][0])
    return figure(chart, "Share of moving places beyond the limit, per input frame examined.")


def _listed(footage: Footage, findings: Sequence[Finding]) -> str:
    """The strongest of each input frame, the strongest few of all."""
    by_frame = groupby(findings, key=lambda finding: finding.number)
    strongest = [max(group, key=lambda finding: finding.weight) for _, group in by_frame]
    chosen = sorted(strongest, key=lambda finding: -finding.weight)[:LISTED]
    rows = [
        (
            f"{timecode(footage.seconds(one.number))} (frame {one.number})",
            f"{one.column:.0f}, {one.row:.0f}",
            f"{one.period:.0f}",
            arrow(one.angle, one.apparent),
            arrow(one.angle, one.recovered),
            "–" if one.implied is None else arrow(one.angle, one.implied),
            decision(one),
        )
        for one in sorted(chosen, key=lambda one: one.number)
    ]
    head = (
        ("Time", "keep"),
        ("At column, row", NUMBER),
        ("Period, pixels", NUMBER),
        ("Seems to move", NUMBER),
        ("Moves in the result", NUMBER),
        ("By coarser structure", NUMBER),
        ("Decision", WRAP),
    )
    note = "Speeds in periods per input frame; 0.5 is the limit. The liveliest place of each frame."
    return table(head, rows) + paragraph(note, "note")


def _limits(footage: Footage, count: int) -> str:
    reduction = reduction_for(*footage.size)
    finest, coarsest = PERIOD * reduction, PERIOD * 2 ** (LEVELS - 1) * reduction
    lines = (
        f"It examines at most {SLOTS} input frames, the liveliest of each part of the video; "
        f"here {count}.",
        f"It sees structures with periods of about {finest:.0f} to {coarsest:.0f} pixels, and one "
        "structure per place: the strongest of those that change. Not at the frame's edges.",
        "It measures the phase of that structure. Where there is little contrast, where the result "
        "changes shape, or where its steps are not steady, it does not judge.",
        "It shows what the result decided, not what is true: without a faster camera nobody knows. "
        "From the input alone, a lone regular pattern beyond the limit looks like a slower one; "
        "only coarser structures that move with it can tell, and the last but one column says so.",
    )
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return (
        f"<details><summary>What this measure can and cannot see</summary>"
        f'<ul class="notes">{items}</ul></details>'
    )


def training_section(shots: Sequence[ShotRecord]) -> str:
    """A curve per shot that was trained, with cubic interpolation as the mark to beat."""
    trained = [(n, shot) for n, shot in enumerate(shots, start=1) if shot.history]
    if not trained:
        return section("training", "Learned from this video", paragraph("No shot was trained."))
    intro = paragraph(
        "Each network is trained on its own shot alone and checked on parts of it that are kept "
        "back, against cubic interpolation."
    )
    figures = [_curve(n, shot) for n, shot in trained[:CURVES]]
    more = len(trained) - CURVES
    rest = paragraph(f"{more} more shots are in the table.", "note") if more > 0 else ""
    return section(
        "training",
        "Learned from this video",
        intro,
        f'<div class="columns">{"".join(figures)}</div>{rest}',
    )


def _curve(number: int, shot: ShotRecord) -> str:
    points = [(float(step), psnr) for step, _, psnr in shot.history]
    names = Axes("training steps", "validation PSNR, dB", "cubic interpolation")
    label = f"validation PSNR of shot {number} over training steps"
    caption = f"Shot {number}, frames {shot.start} to {shot.stop - 1}: {decibels(shot.psnr)}"
    if shot.psnr_cubic is not None:
        caption += f", cubic interpolation {decibels(shot.psnr_cubic)}"
    return figure(curve(points, shot.psnr_cubic, label=label, names=names), caption)
