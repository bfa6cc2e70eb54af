"""THE STORY of a check: two model files → the same windows through both → where they differ."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from polygraphy.comparator import Comparator
from polygraphy.exception import PolygraphyException
from polygraphy.logger import G_LOGGER

from tsr.core.errors import ModelError
from tsr.core.ladder import Rung
from tsr.core.plan_file import Size
from tsr.core.volume import Volume
from tsr.export.compare import CompareWindows, Difference
from tsr.export.runners import OpenModel, open_model, padded
from tsr.export.tiles import made_up_windows, video_windows
from tsr.export.tolerance import Tolerance, tolerance_for
from tsr.runtime.onnx_network import INPUT, first_line
from tsr.runtime.recording import TILE, Window

CHANNELS = ("red", "green", "blue")


@dataclass(frozen=True)
class RungReport:
    """How two files differ at one rung.

    Args:
        rung: as reached by the network pass. windows: how many were compared.
        worst: largest absolute difference. mean: over all values.
        psnr: dB, data range 1, of the window that agrees least.
        place: frame, row and column of the worst in the video at this rung, and its channel.
        agrees: all windows are within tolerance.
        difference: of the window that holds the worst place.
    """

    rung: Rung
    windows: int
    worst: float
    mean: float
    psnr: float
    place: dict[str, int | str]
    agrees: bool
    difference: Difference = field(repr=False)

    @property
    def where(self) -> str:
        """The worst place in words."""
        return ", ".join(
            value if isinstance(value, str) else f"{name} {value}"
            for name, value in self.place.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`; what is not finite is null."""
        figures = {"worst": self.worst, "mean": self.mean, "psnr_db": self.psnr}
        finite = {name: v if math.isfinite(v) else None for name, v in figures.items()}
        return {
            "rung": str(self.rung),
            "windows": self.windows,
            **finite,
            "place": self.place,
            "agrees": self.agrees,
        }


@dataclass(frozen=True)
class CheckReport:
    """Whether two files agree.

    Args:
        first, second: the files. tolerance: what was allowed. tiles: what they were run on.
        rungs: coarsest first. notes: what else the user should know.
    """

    first: Path
    second: Path
    tolerance: Tolerance
    tiles: str
    rungs: list[RungReport]
    notes: list[str]

    @property
    def agrees(self) -> bool:
        """At every rung."""
        return all(rung.agrees for rung in self.rungs)

    @property
    def worst(self) -> RungReport:
        """The rung with the largest difference; among those that do not agree if there are any."""
        failed = [rung for rung in self.rungs if not rung.agrees]
        return max(failed or self.rungs, key=lambda rung: rung.worst)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "first": str(self.first),
            "second": str(self.second),
            "agrees": self.agrees,
            "tolerance": self.tolerance.worst,
            "min_psnr_db": self.tolerance.min_psnr,
            "tiles": self.tiles,
            "rungs": [rung.to_dict() for rung in self.rungs],
            "notes": self.notes,
        }


def check(
    first: Path,
    second: Path,
    *,
    video: Path | None = None,
    start: Fraction | None = None,
    tolerance: float | None = None,
    min_psnr: float | None = None,
    windows: int = 4,
    report: Callable[[str], None] = lambda text: None,
) -> CheckReport:
    """Run two model files on the same windows at every rung, and compare.

    Args:
        first, second: .safetensors, .onnx or .plan files. The first runs the coarse-to-fine loop
            from which the windows come.
        video: where the windows come from; a made-up video, always the same, if None.
        start: the ladder's coarsest rung; the model's own if None.
        tolerance, min_psnr: what is allowed; by the files' precisions if None.
        windows: compared per rung.
        report: called with what is going on.

    Raises:
        TsrError: a file, the video or the settings do not allow it. That the files differ is no
            error here, but said in the report.
    """
    with G_LOGGER.verbosity(G_LOGGER.CRITICAL + 1):  # Polygraphy prints to standard output
        models = [open_model(first, f"first: {first}"), open_model(second, f"second: {second}")]
        precisions = {model.card.precision for model in models}
        allowed = tolerance_for(precisions, tolerance, min_psnr)
        report("running the ladder for windows")
        try:
            found = _windows(models, video, start, windows)
            rungs = _compare(models, found, allowed, report)
        except PolygraphyException as error:  # an engine that fails at work
            raise ModelError(f"{first} or {second} cannot be run ({first_line(error)})") from error
    tiles = f"the liveliest windows of {video}" if video else "windows of a made-up video"
    return CheckReport(first, second, allowed, tiles, rungs, _notes(models))


def _windows(
    models: list[OpenModel],
    video: Path | None,
    start: Fraction | None,
    keep: int,
) -> dict[Rung, list[Window]]:
    """By rung, of a size that both models take or can be padded to."""
    first, tile = models[0], _tile(models)
    with first.runner:
        if video is not None:
            return video_windows(
                first.network, first.card, video, start=start, keep=keep, tile=tile
            )
        ladder = first.card.ladder
        if start is not None:  # as for a video (`tsr.runtime.run.choose_ladder`)
            ladder = replace(ladder, start=start, finest=Fraction(1))
        return made_up_windows(first.network, ladder, keep=keep, tile=tile)


def _compare(
    models: list[OpenModel],
    windows: dict[Rung, list[Window]],
    tolerance: Tolerance,
    report: Callable[[str], None],
) -> list[RungReport]:
    """All windows through both models, one at a time."""
    least = _least(models)
    total = sum(map(len, windows.values()))

    def feeds() -> Iterator[dict[str, Volume]]:
        done = 0
        for rung, found in windows.items():
            for window in found:
                report(f"window {done + 1}/{total}, {rung}")
                yield {INPUT: padded(window.volume, least)[None]}
                done += 1

    results = Comparator.run([model.runner for model in models], feeds(), streaming=True)
    (compared,) = Comparator.compare_accuracy(results, compare_func=CompareWindows(tolerance))
    (per_window,) = compared.values()
    differences = iter([next(iter(outputs.values())) for outputs in per_window])
    return [
        _rung_report(rung, found, [next(differences) for _ in found])
        for rung, found in windows.items()
    ]


def _rung_report(rung: Rung, windows: list[Window], differences: list[Difference]) -> RungReport:
    number = int(np.argmax([found.worst for found in differences]))
    window, worst = windows[number], differences[number]
    channel, frame, row, column = worst.where
    return RungReport(
        rung=rung,
        windows=len(windows),
        worst=worst.worst,
        mean=float(
            np.average(
                [found.mean for found in differences],
                weights=[found.num_values for found in differences],
            )
        ),
        psnr=min(found.psnr for found in differences),
        place={
            "frame": window.frame + frame,
            "row": window.row + row,
            "column": window.column + column,
            "channel": CHANNELS[channel],
        },
        agrees=all(differences),
        difference=worst,
    )


def _least(models: list[OpenModel]) -> Size:
    """The smallest output that every model makes."""
    least = np.max([model.least for model in models], axis=0)
    return int(least[0]), int(least[1]), int(least[2])


def _tile(models: list[OpenModel]) -> Size:
    """The usual tile, or the nearest size that every model makes."""
    most = np.min([model.most for model in models if model.most] or [TILE], axis=0)
    tile = np.minimum(np.maximum(TILE, _least(models)), most)
    return int(tile[0]), int(tile[1]), int(tile[2])


def _notes(models: list[OpenModel]) -> list[str]:
    notes = []
    videos = {model.card.video.sha256: model.card.video.name for model in models}
    if len(videos) > 1:
        notes.append(f"the models were trained on different videos: {', '.join(videos.values())}")
    if len({str(model.card.ladder) for model in models}) > 1:
        notes.append("the models were trained for different ladders; the first one's is used")
    return notes
