"""The aliasing benchmark's picture: each method's motion as the tilt of streaks over time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.sheet import GAP, PANEL_WIDTH, Sheet
from tsr.core.drawing import over_time, resized
from tsr.core.volume import Volume
from tsr.evaluation.aliasing import FACTOR, SIDE, AliasScene

CROP_ROWS = slice(0, round(0.62 * SIDE))
"""The upper part of the frame: the half of a wheel in which clockwise is to the right."""
ROW = round(0.35 * SIDE)
"""Row whose pixels are shown over time; it crosses the spokes of large wheels and small ones."""
CROP = (PANEL_WIDTH, round(PANEL_WIDTH * 0.62))
SLICES = (PANEL_WIDTH, 132)
BLOCK_HEIGHT = CROP[1] + GAP + SLICES[1] + 76
INSTANT = 3 * FACTOR + 5
"""Output frame shown as a crop, counted from the first at full speed."""

RIGHT, WRONG = (24, 128, 72), (188, 36, 44)


def write_sheet(
    path: Path,
    chosen: Mapping[str, AliasScene],
    found: Mapping[str, Any],
    videos: Mapping[str, Mapping[str, Volume]],
) -> None:
    """Write the picture.

    Args:
        chosen, found: scenes and their figures, by name.
        videos: by scene and method, or "truth", the part at full speed, (3, T, SIDE, SIDE).
    """
    methods = dict.fromkeys(method for shown in videos.values() for method in shown)
    columns = [*(method for method in methods if method != "truth"), "truth"]
    sheet = Sheet(
        columns,
        "Too fast for the camera: which way does it really move?",
        "Speeds in periods per input frame, + is to the right (wheels: clockwise). Below each frame"
        " the marked line over time: streaks that go down to the right move to the right.",
        blocks=len(chosen),
        block_height=BLOCK_HEIGHT,
    )
    for block, (name, scene) in enumerate(chosen.items()):
        crop_y = sheet.top(block)
        slice_y = crop_y + CROP[1] + GAP
        sheet.label(crop_y, "", *_words(scene))
        sheet.label(slice_y, "", "the marked line", "over time")
        sheet.time_arrow(slice_y, SLICES[1])
        for method, video in videos[name].items():
            row = (ROW - CROP_ROWS.start + 0.5) / (CROP_ROWS.stop - CROP_ROWS.start)
            sheet.panel(method, crop_y, resized(video[:, INSTANT, CROP_ROWS], CROP), mark=row)
            sheet.panel(method, slice_y, over_time(video[:, :, ROW], SLICES))
            _foot(sheet, method, slice_y + SLICES[1] + 6, found[name]["methods"])
    sheet.save(path)


def _words(scene: AliasScene) -> list[str]:
    """What a scene is, in lines that fit beside it."""
    seen = f"seems {scene.apparent_speed:+.2f}" if scene.aliased else "shown rightly"
    evidence = "evidence: " + ("slower phases" if scene.slower else "none")
    lines = scene.title.split(", ")
    return [
        *lines,
        "",
        f"true speed {scene.true_speed:+.2f}",
        seen,
        evidence if scene.aliased else "",
    ]


def _foot(sheet: Sheet, method: str, y: int, found: Mapping[str, Any]) -> None:
    """Speed and verdict under a slice; under the slow input those of the slow video itself."""
    figures = found["slow" if method == "nearest" else method]
    colour = RIGHT if figures["verdict"] == "right" else WRONG
    sheet.text(method, y, f"{figures['speed']:+.2f}: {figures['verdict']}", 19, colour)
    if method not in ("truth", "nearest"):
        share = f"{100 * figures['right_way']:.0f} % of steps the right way"
        sheet.text(method, y + 24, share, 14, colour)
