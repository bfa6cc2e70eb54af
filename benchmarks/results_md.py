"""RESULTS.md from the JSON files of benchmarks/results: python -m benchmarks.results_md

Figures are never typed in: measure again, then run this.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.aliasing_md import aliasing
from benchmarks.cpu_md import cpu, int8, network
from benchmarks.exposure_md import exposure, exposure_worth
from benchmarks.machine import ROOT
from benchmarks.markdown import flat, table
from benchmarks.quality_md import quality

RESULTS = ROOT / "benchmarks" / "results"
OUTPUT = ROOT / "benchmarks" / "RESULTS.md"
HEAD = """# Results

Made from `results/*.json` by `python -m benchmarks.results_md`. A load above the number of cores \
means that other work ran beside the measurement: its times are then too long, its quality figures \
are not affected.
"""
FIRST = ("quality", "aliasing", "exposure", "exposure-worth", "cpu", "int8", "network")

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


def ideas(report: Report) -> str:
    """What each idea gained, best first."""
    clips = list(report["baselines"])
    rows = [
        [
            idea["idea"] + (" **(kept)**" if idea["kept"] else ""),
            str(idea["steps"]),
            *(f"{idea['gain_x8'][clip]:+.2f}" for clip in clips),
            f"{idea['mean_gain_x8']:+.2f}",
            f"{idea['mean_gain_x2']:+.2f}",
        ]
        for idea in sorted(report["ideas"], key=lambda idea: -idea["mean_gain_x8"])
    ]
    head = ["idea", "steps", *clips, "mean ×8", "mean ×2"]
    ladders = report["shorter_ladders"]
    shorter = "; ".join(
        f"{name}: " + ", ".join(f"{clip} {gain:+.2f}" for clip, gain in ladders[name].items())
        for name in ("x4", "x2")
    )
    return f"{report['method']}\n\n{table(head, rows)}\n\n{ladders['what']}: {shorter}."


def trials(report: Report) -> str:
    """Ideas that were tried one by one, with what became of them."""
    clips = list(report["trials"][0]["gain"])
    rows = [
        [
            trial["idea"],
            *(f"{trial['gain'][clip]:+.2f}" if clip in trial["gain"] else "" for clip in clips),
            trial["verdict"],
        ]
        for trial in report["trials"]
    ]
    rehearsals = report["rehearsals"]
    kinds = list(next(iter(rehearsals["gains"].values())))
    heard = [
        [video, *(f"{gains[kind]:+.2f}" for kind in kinds)]
        for video, gains in rehearsals["gains"].items()
    ]
    parts = [
        report["method"],
        table(["idea", *clips, "verdict"], rows),
        f"{rehearsals['what']}:",
        table(["video", *kinds], heard),
    ]
    return "\n\n".join(parts)


FILE_STAGES = ("decode", "convert", "network", "back-projection", "encode")


def gpu(report: Report) -> str:
    """Kernels against the copy, network passes, the cascade per output frame."""
    ceilings = report.get("torch", {})
    kernels = report["kernels"]
    how = (
        f"Times are of {kernels['launches']} launches in a row, over {kernels['rotated_mib']} MiB "
        "of data in turn: neither launch nor cache shows."
        if "launches" in kernels
        else "The times span launch and allocation too, which matter below 0.1 ms, and the data of "
        "gather and place fits in the cache: read these as bounds, not as device bandwidth."
    )
    rows = [
        [name, f"{v['ms']:.3f}", str(v["gb_s"]), f"{100 * v['of_copy']:.0f} %"]
        for name, v in kernels.items()
        if isinstance(v, dict) and "ms" in v
    ]
    parts = [
        f"Device copy: {kernels['copy_gb_s']} GB/s, read and written. A kernel's bytes are those "
        f"that must move: inputs read once, outputs written once. {how}",
        table(["kernel", "ms", "GB/s", "of the copy"], rows),
        "Network pass (by ONNX Runtime where the row does not say), TFLOP/s without the halo's "
        f"work; torch's matrix products: {_products(ceilings)}. In brackets ms, and the share of "
        "the product of the same precision.",
        _networks(report["network"] | _in_torch(ceilings), ceilings),
        "The ladder, ×8, at 1280×720 unless the row says otherwise, one run after a warm-up; the "
        "input's upload is included, the output stays on the device:",
        table(
            [
                "model, ladder",
                "ms per output frame",
                "network",
                "back-projection",
                "its share",
                "memory, MiB",
            ],
            [
                [
                    name,
                    f"{v['ms_per_frame']:.2f}",
                    f"{v['ms_by_stage']['network']:.2f}",
                    f"{v['ms_by_stage']['back-projection']:.3f}",
                    f"{100 * v['backprojection_share']:.1f} %",
                    str(v.get("memory_mib", "–")),
                ]
                for name, v in report["cascade"].items()
            ],
        ),
        *_files(report.get("files", {})),
        *_training_here(report.get("training", {})),
        *(f"Not measured: {line}." for line in report.get("skipped", [])),
    ]
    return "\n\n".join(parts)


def _products(ceilings: Report) -> str:
    found = {
        key.removeprefix("matmul_").removesuffix("_tflop_s").upper(): value
        for key, value in ceilings.items()
        if key.startswith("matmul_")
    }
    return ", ".join(f"{name} {value} TFLOP/s" for name, value in found.items()) or "not measured"


def _in_torch(ceilings: Report) -> Report:
    """The networks that torch ran, as `_networks` takes them."""
    found = {}
    for key, value in ceilings.items():
        if key.startswith("network_"):
            _, precision, channels = key.split("_")
            if "tiles" not in value:  # of before there were several
                value = {"tiles": {"x".join(map(str, value["tile"])): value}}
            name = f"{precision}-{channels} · torch, channels last"
            found[name] = value | {"precision": precision}
    return found


def _files(files: Report) -> list[str]:
    if not files:
        return []
    rows = []
    for name, v in files.items():
        stages = [v["stages"].get(stage) for stage in FILE_STAGES]
        spent = sum(filter(None, stages))
        shown = ["–" if seconds is None else str(seconds) for seconds in stages]
        rows.append([name, str(v["frames_per_second"]), *shown, f"{spent:.2f}", str(v["seconds"])])
    text = (
        "From file to file, `tsr-run` at 1280×720, ×8 from 1/8, loading of the model included. A "
        "sum above the whole is what stages did at once; convert has what the work waited for "
        "uploads in it:"
    )
    stages_s = [f"{stage}, s" for stage in (*FILE_STAGES, "their sum", "whole")]
    return [text, table(["model", "output frames/s", *stages_s], rows)]


def _training_here(presets: Report) -> list[str]:
    speeds = [f"{name} {v['steps_per_second']:.0f}" for name, v in presets.items()]
    return [f"Training steps/s: {', '.join(speeds)}."] if speeds else []


def _networks(networks: Report, ceilings: Report) -> str:
    tiles = list(dict.fromkeys(tile for v in networks.values() for tile in v["tiles"]))
    engines = [
        f"{name}: {key.removesuffix('_seconds')} in {v[key]} s"
        for name, v in networks.items()
        for key in v
        if key.endswith("_seconds")
    ]
    rows = [
        [
            name,
            f"{v['error']:.0e}" if "error" in v else "–",
            *(
                _speed(v["tiles"][tile], ceilings.get(f"matmul_{v.get('precision')}_tflop_s"))
                if tile in v["tiles"]
                else "–"
                for tile in tiles
            ),
        ]
        for name, v in networks.items()
    ]
    found = table(["model", "differs from CPU by", *tiles], rows)
    return found + (f"\n\nEngines: {'; '.join(engines)}." if engines else "")


def _speed(found: Report, ceiling: float | None) -> str:
    share = f", {100 * found['tflop_s'] / ceiling:.0f} %" if ceiling else ""
    return f"{found['tflop_s']} ({found['ms']} ms{share})"


def training(report: Report) -> str:
    """Speed of each preset, a whole schedule, half precision against full."""
    rows = [
        [name, f"{v['steps_per_second']:.1f}", str(v["schedule_steps"]), str(v["schedule_minutes"])]
        for name, v in report["presets"].items()
    ]
    text = table(["preset", "steps/s", "steps of its schedule", "minutes for these"], rows)
    whole = report.get("schedule")
    if whole:
        text += (
            f"\n\nThe whole schedule of `{whole['preset']}`: its policy ended it after "
            f"{whole['steps']} steps and {whole['seconds']:.0f} s, at a validation PSNR of "
            f"{whole['validation_psnr']:.2f} dB (cubic {whole['validation_psnr_cubic']:.2f} dB)."
        )
    for name, values in report.get("precision", {}).items():
        mean = sum(values) / len(values)
        text += f"\n\n{name}: {mean:.2f} dB, mean of {', '.join(f'{v:.2f}' for v in values)}."
    return text


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
    "aliasing": ("Motion aliasing", aliasing),
    "exposure": ("Exposure, estimated", exposure),
    "exposure-worth": ("Exposure, followed", exposure_worth),
    "cpu": ("A frame on a CPU", cpu),
    "int8": ("INT8 against the truth", int8),
    "network": ("One network pass", network),
    "gpu": ("GPU", gpu),
    "training": ("Training speed", training),
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
