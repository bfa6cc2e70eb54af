"""The aliasing benchmark's part of RESULTS.md."""

from typing import Any

from benchmarks.markdown import table
from benchmarks.quality_md import title

Report = dict[str, Any]

INTRODUCTION = """Rendered scenes (`evaluation.aliasing`) whose slow video, ×8, shows a wrong \
direction or speed. In each cell: the speed recovered at full speed, in periods of the structure \
per input frame (its sign is the direction), measured by the phase of the structure's known \
frequency; in brackets the share of steps from one output frame to the next that go the true way. \
"Evidence": whether the video also shows the motion at half the speed, and so on down to one that \
it shows rightly; without it only the strength of the blur could tell direction and speed. The \
scenes that truly move backwards are controls: who is right on the fast stripes and wrong on those \
that move backwards takes every such pattern for a fast one. The scenes that last twice as long \
show each slower phase for ten frames instead of five, as much as the network sees at once."""


def aliasing(report: Report) -> str:
    """Speeds by scene and method, then what each method could not do."""
    scenes = report["scenes"]
    methods = list(dict.fromkeys(m for scene in scenes.values() for m in scene["methods"]))
    methods = [method for method in methods if method not in ("truth", "slow")]
    head = ["scene", "truth", "slow video shows", "evidence", *map(title, methods)]
    rows = []
    for scene in scenes.values():
        found = scene["methods"]
        cells = [_cell(found[method]) if method in found else "–" for method in methods]
        evidence = "–" if not scene["aliased"] else "yes" if scene["holds_evidence"] else "no"
        shown = f"{found['slow']['speed']:+.2f}"
        rows.append([scene["title"], f"{scene['true_speed']:+.2f}", shown, evidence, *cells])
    failures = [f"- {title(method)}: {_failures(scenes, method)}" for method in methods]
    return "\n\n".join([INTRODUCTION, table(head, rows), "\n".join(["Could not:", "", *failures])])


def _cell(found: dict[str, Any]) -> str:
    text = f"{found['speed']:+.2f} {found['verdict']} ({100 * found['right_way']:.0f} %)"
    return f"**{text}**" if found["verdict"] == "right" else text


def _failures(scenes: dict[str, Report], method: str) -> str:
    """The scenes that a method got wrong, those apart that hold no evidence."""
    wrong: dict[str, list[str]] = {
        "although the video holds the evidence": [],
        "without evidence": [],
    }
    measured = 0
    for scene in scenes.values():
        found = scene["methods"].get(method)
        measured += found is not None
        if found is not None and found["verdict"] != "right":
            where = list(wrong)[not scene["holds_evidence"]]
            wrong[where].append(f"{scene['title']} ({found['verdict']})")
    parts = [f"{where}: {'; '.join(names)}" for where, names in wrong.items() if names]
    text = " · ".join(parts) or "nothing failed"
    return f"{text} ({measured} of {len(scenes)} scenes measured)"
