"""The quality benchmark's part of RESULTS.md: scores and their means, then what ours costs."""

import re
from collections.abc import Iterator
from typing import Any

from benchmarks.markdown import table

Report = dict[str, Any]

TITLES = {
    "nearest": "nearest",
    "linear": "linear",
    "cubic_bp": "cubic + temporal back-projection",
    "minterpolate": "FFmpeg minterpolate",
    "rife": "RIFE",
}
COLUMNS = {
    "psnr": ("PSNR dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "lpips": ("LPIPS", "{:.4f}"),
    "psnr_moving": ("PSNR moving", "{:.2f}"),
    "ssim_moving": ("SSIM moving", "{:.4f}"),
    "psnr_change": ("PSNR of change", "{:.2f}"),
}
"""Title and format of each column shown."""

INTRODUCTION = """Each truth is degraded by the factor (full exposure, lossless), and every method \
makes the fast video from that; ours is a network trained on the slow video alone (`tsr-train`, \
`tsr-export`, `tsr-run --factor`). Interpolators are asked for the true instants: at ×8 1/16, \
3/16, … between two input frames. PSNR and SSIM: means over the frames. Moving: on the pixels \
whose brightness changes by more than 10/255 within an input frame's exposure. PSNR of change: the \
PSNR of the mean error of the changes from each frame to the next, which sees jerks, flicker and \
wrong motion. Higher is better, for LPIPS lower; the best of each column is bold."""


def quality(report: Report) -> str:
    """All factors: scores by clip, means, costs."""
    every = report["lpips_every"]
    parts = [INTRODUCTION + (f" LPIPS: every {every}th frame." if every else "")]
    for factor, clips in sorted(report["factors"].items(), key=lambda item: -int(item[0])):
        parts += [f"### ×{factor}", scores_table(clips)]
        if len(clips) > 1:
            parts += [f"Means of the {len(clips)} clips, of methods measured on all:", means(clips)]
        if costs := _costs(clips):
            parts += ["What ours costs:", costs]
        parts += _notes(clips)
    parts.append(
        "Seconds per output frame are wall time; whatever is missing to their sum is start-up. "
        "Peak memory is that of the stage's process."
    )
    return "\n\n".join(parts)


CONDITIONS = {
    "hand": """Seen by a camera carried in a hand: a window of three quarters of each clip's rows \
and columns drifts and shakes over it, so that everything moves, in the truth as well; then as \
above.""",
    "phone": """As a phone records: the slow video has noise of 3/255 in each colour, and is H.264 \
of CRF 23 in 4:2:0; the truth is the clip's.""",
}


def conditions(report: Report) -> str:
    """Each condition at ×8: scores by clip, means."""
    parts = ["`benchmarks.conditions`: the clips above, which stand still and are lossless, at ×8."]
    for condition, clips in report["factors"].items():
        parts += [f"### {condition.capitalize()}", CONDITIONS[condition], scores_table(clips)]
        parts += [f"Means of the {len(clips)} clips:", means(clips), *_notes(clips)]
    return "\n\n".join(parts)


def scores_table(clips: dict[str, Report]) -> str:
    """One row per clip and method."""
    head = ["clip", "method", *(title for title, _ in COLUMNS.values()), "PSNR over linear"]
    return table(head, (row for name, clip in clips.items() for row in _clip_rows(name, clip)))


def means(clips: dict[str, Report]) -> str:
    """Each method's mean over the clips, for methods that were measured on all of them."""
    methods = next(iter(clips.values()))["methods"]
    rows = {}
    for method in methods:
        found = [clip["methods"].get(method, {}).get("scores") for clip in clips.values()]
        if all(found):
            rows[method] = {c: _mean([scores.get(c) for scores in found]) for c in COLUMNS}
    head = ["method", *(title for title, _ in COLUMNS.values()), "PSNR over linear"]
    return table(head, _score_rows(rows))


def title(method: str) -> str:
    """A method's name for people."""
    if method in TITLES:
        return TITLES[method]
    changed = re.compile(r"([a-z]+)(\d+)")  # such as "steps1600"
    words = method.replace("-precisionfp32", "-FP32").split("-")[1:]
    words = [word.removeprefix("interpolation") for word in words]
    return ", ".join(["ours", *(changed.sub(r"\2 \1", word) for word in words)])


def _clip_rows(name: str, clip: Report) -> Iterator[list[str]]:
    width, height = clip["size"]
    found = {method: figures["scores"] for method, figures in clip["methods"].items()}
    label = f"{name} {width}×{height}, {clip['frames'][0]} → {clip['frames'][1]} frames"
    share = next(iter(found.values())).get("moving_share")
    if share is not None:
        label += f", {100 * share:.0f} % moving"
    for row in _score_rows(found):
        yield [label, *row]
        label = ""


def _score_rows(found: dict[str, dict[str, float]]) -> Iterator[list[str]]:
    """A row per method, the best value of each column bold."""
    linear = found.get("linear", {}).get("psnr")
    for method, scores in found.items():
        row = [f"**{title(method)}**" if method.startswith("ours") else title(method)]
        for column, (_, form) in COLUMNS.items():
            value = scores.get(column)
            text = "–" if value is None else form.format(value)
            row.append(f"**{text}**" if value is not None and _best(found, column, value) else text)
        over = "–" if linear is None else f"{scores['psnr'] - linear:+.2f} dB"
        yield [*row, over]


def _best(found: dict[str, dict[str, float]], column: str, value: float) -> bool:
    values = [scores[column] for scores in found.values() if scores.get(column) is not None]
    return value == (min(values) if column == "lpips" else max(values))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _notes(clips: dict[str, Report]) -> list[str]:
    """What is to be known of single figures, such as that they are of another machine."""
    notes: dict[str, list[str]] = {}
    for name, clip in clips.items():
        for method, figures in clip["methods"].items():
            if "note" in figures:
                notes.setdefault(figures["note"], []).append(f"{title(method)} on {name}")
    return [f"{'; '.join(places)}: {note}" for note, places in notes.items()]


def _costs(clips: dict[str, Report]) -> str:
    """Time and memory of ours, empty where ours was not measured."""
    found = [
        (name, method, figures)
        for name, clip in clips.items()
        for method, figures in clip["methods"].items()
        if "training" in figures
    ]
    if not found:
        return ""
    stages = list(dict.fromkeys(s for _, _, f in found for s in f["run"]["stages_per_frame"]))
    head = ["clip", "method", "training", "validation dB (cubic)", "s/frame", *stages]
    head += ["peak MiB: train", "run", "model, ONNX kB", "load: train", "run"]
    rows = []
    for name, method, figures in found:
        training, run = figures["training"], figures["run"]
        rows.append(
            [
                name,
                title(method),
                f"{training['seconds']:.0f} s, {training['steps']} steps",
                f"{training['validation_psnr']:.2f} ({training['validation_psnr_cubic']:.2f})",
                f"{run['seconds_per_frame']:.3f}",
                *(f"{run['stages_per_frame'].get(stage, 0):.3f}" for stage in stages),
                *(str(figures["peak_mib"][stage]) for stage in ("train", "run")),
                ", ".join(f"{figures['bytes'][k] / 1000:.0f}" for k in ("model", "onnx")),
                *(str(figures["load"][stage]) for stage in ("train", "run")),
            ]
        )
    ladders = sorted({f"{figures['run']['ladder']} ({name})" for name, _, figures in found})
    return table(head, rows) + "\n\nLadders: " + "; ".join(ladders) + "."
