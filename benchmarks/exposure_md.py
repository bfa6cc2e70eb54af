"""The exposure benchmarks' parts of RESULTS.md."""

from typing import Any

from benchmarks.markdown import table

Report = dict[str, Any]

BAR = 0.15
"""Largest error that an estimate may have on a rendered scene (issue 3, point 6)."""

INTRODUCTION = """`tsr-train --exposure auto` on videos whose exposure is known. Rendered scenes \
(a texture that drifts, one that turns, textured and plain discs that cross, a wheel of spokes) at \
3, 6 and 10 pixels per frame: mean of the estimates and, in brackets, the largest error. "Sure" \
counts estimates that would be followed, which from 0.85 on means a full exposure: those whose \
standard error is 0.1 at most, and those that lie further from full than three of it."""

CLIPS = """Real clips degraded by 8: estimate ± standard error; in brackets what would be \
followed, 1 where the estimate is not sure. The truth's own blur stays in them."""


def exposure(report: Report) -> str:
    """Estimates by scene and treatment, then by clip."""
    truths = list(dict.fromkeys(found["truth"] for found in report["scenes"]))
    rows = []
    for kind in dict.fromkeys(found["kind"] for found in report["scenes"]):
        for treatment in dict.fromkeys(found["treatment"] for found in report["scenes"]):
            some = [
                found
                for found in report["scenes"]
                if (found["kind"], found["treatment"]) == (kind, treatment)
            ]
            sure = sum(found["sure"] for found in some)
            cells = [_cell([f for f in some if f["truth"] == truth]) for truth in truths]
            rows.append([kind, treatment, *cells, f"{sure} of {len(some)}"])
    scenes = table(["scene", "stored", *map(_name, truths), "sure"], rows)
    every = [abs(found["value"] - found["truth"]) for found in report["scenes"] if found["sure"]]
    taken = [abs(found["followed"] - found["truth"]) for found in report["scenes"]]
    verdict = (
        f"Of {len(every)} sure estimates {_inside(every)} are within {BAR:g}; the largest error is "
        f"{max(every):.2f}. With full in place of the others {_inside(taken)} of {len(taken)} are."
    )
    parts = [INTRODUCTION, scenes, verdict]
    if report["clips"]:
        clips = [
            [name, *(_estimate(found) for found in estimates)]
            for name, estimates in report["clips"].items()
        ]
        parts += [CLIPS, table(["clip", *map(_name, truths)], clips)]
    return "\n\n".join(parts)


def _inside(errors: list[float]) -> int:
    return sum(error <= BAR + 1e-9 for error in errors)


def exposure_worth(report: Report) -> str:
    """PSNR by what was followed."""
    clips = report["clips"]
    methods = list(dict.fromkeys(name for found in clips.values() for name in found))
    rows = [[clip, *(f"{found[name]:.2f}" for name in methods)] for clip, found in clips.items()]
    training = ", ".join(f"{value} {name}" for name, value in report["training"].items())
    return (
        "Videos degraded by 8 with half the exposure, PSNR of the result in dB: a network trained "
        "and run for the full exposure, trained for full and run (interpolated, back-projected) "
        "for half, trained and run for half. Who takes the exposure for full shows everything a "
        "quarter of a frame late, which nobody would see; moved in time, that is made good: the "
        "rest is what following the exposure is worth. One seed. "
        f"Short trainings: {training}.\n\n{table(['clip', *methods], rows)}"
    )


def _name(truth: float) -> str:
    return f"exposure {truth:g}"


def _cell(found: list[Report]) -> str:
    values = [entry["value"] for entry in found]
    worst = max((entry["value"] - entry["truth"] for entry in found), key=abs)
    return f"{sum(values) / len(values):.2f} ({worst:+.2f})"


def _estimate(found: Report) -> str:
    if found["error"] is None:
        return f"– ({found['followed']:g})"
    return f"{found['value']:.2f} ± {found['error']:.2f} ({found['followed']:g})"
