"""RESULTS.md from the JSON files of benchmarks/results: python -m benchmarks.results_md

Figures are never typed in: measure again, then run this.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.aliasing_md import aliasing
from benchmarks.cpu_md import cpu, int8, network
from benchmarks.examples_md import examples
from benchmarks.exposure_md import exposure, exposure_worth
from benchmarks.gpu_md import gpu
from benchmarks.ladder_md import ladder
from benchmarks.machine import ROOT
from benchmarks.markdown import flat, table
from benchmarks.quality_md import conditions, quality
from benchmarks.training_md import busy, ideas, training, trials

RESULTS = ROOT / "benchmarks" / "results"
OUTPUT = ROOT / "benchmarks" / "RESULTS.md"
HEAD = """# Results

Made from `results/*.json` by `python -m benchmarks.results_md`. A load above the number of cores \
means that other work ran beside the measurement: its times are then too long, its quality figures \
are not affected.
"""
FIRST = (
    *("quality", "conditions", "ladder", "aliasing", "examples", "exposure", "exposure-worth"),
    *("cpu", "int8", "network"),
)

Report = dict[str, Any]


def markdown(reports: dict[str, Report]) -> str:
    """The whole document, from reports by file name."""
    sections = [HEAD]
    for name in sorted(reports, key=lambda name: (_rank(_kind(name)), name)):
        report = reports[name]
        title, render = RENDERERS.get(_kind(name), (_kind(name), generic))
        which = name.removeprefix(_kind(name)).replace("-", " ", 1)
        sections += [f"## {title}{which}", render(report), footnote(report)]
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"


def backprojection(report: Report) -> str:
    """Times per output frame of the candidates."""
    height, width = report["size"]
    rows = [
        [
            name,
            f"{figures['last_step_ms']['median']:.2f}",
            f"{figures['ladder_ms']['median']:.2f}",
            f"{figures['largest_difference']:.1e}",
        ]
        for name, figures in report["candidates"].items()
    ]
    text = f"{width}×{height}, {report['ladder']}; {report['unit']}, medians of {report['rounds']}."
    head = ["candidate", "last step", "whole ladder", "differs by"]
    return f"{text}\n\n{table(head, rows)}"


def generic(report: Report) -> str:
    """Any other report: its values by their path."""
    body = {key: value for key, value in report.items() if key not in ("machine", "benchmark")}
    return table(["figure", "value"], ([path, str(value)] for path, value in flat(body)))


def footnote(report: Report) -> str:
    """The machine, versions and commit of a report."""
    machine = report.get("machine")
    if not machine:
        return "Machine: not recorded."
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    commits = sorted({c for path, found in flat(report) if path.endswith("commits") for c in found})
    parts = [
        machine.get("gpu"),
        machine.get("driver") and f"driver {machine['driver']}",
        machine.get("cpu") and f"{machine['cpu']}, {machine['cores']} cores",
        machine.get("load") and f"load {machine['load']}",
        machine.get("python") and f"Python {machine['python']}",
        versions,
        f"commit {', '.join(commits or [machine['commit']])}",
        machine["date"],
        machine.get("edited"),
    ]
    return "; ".join(part for part in parts if part) + "."


def _rank(kind: str) -> int:
    """What a user asks first stands first."""
    return FIRST.index(kind) if kind in FIRST else len(FIRST)


def _kind(name: str) -> str:
    return name if name in RENDERERS else name.split("-", 1)[0]


RENDERERS: dict[str, tuple[str, Callable[[Report], str]]] = {
    "quality": ("Quality on real clips", quality),
    "conditions": ("Under other conditions", conditions),
    "aliasing": ("Motion aliasing", aliasing),
    "ladder": ("Where the ladder loses", ladder),
    "examples": ("Kinds of examples", examples),
    "exposure": ("Exposure, estimated", exposure),
    "exposure-worth": ("Exposure, followed", exposure_worth),
    "cpu": ("A frame on a CPU", cpu),
    "int8": ("INT8 against the truth", int8),
    "network": ("One network pass", network),
    "gpu": ("GPU", gpu),
    "training": ("Training speed", training),
    "busy": ("Training beside busy", busy),
    "ideas": ("Ideas for", ideas),
    "trials": ("Trials on", trials),
    "backprojection": ("Back-projection on the CPU", backprojection),
    "long": ("A long", generic),
}
"""Title and renderer by the file's name, or by its part before the first '-'."""


def main() -> None:
    """Write RESULTS.md."""
    reports: dict[str, Report] = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(RESULTS.glob("*.json"))
    }
    Path(OUTPUT).write_text(markdown(reports), encoding="utf-8")
    print(f"wrote {OUTPUT.relative_to(ROOT)} from {len(reports)} results")


if __name__ == "__main__":
    main()
