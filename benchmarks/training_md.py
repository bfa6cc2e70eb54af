"""What RESULTS.md says of training: ideas, trials, speed."""

from typing import Any

from benchmarks.markdown import table

Report = dict[str, Any]


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
        *(part for passes in report["passes"] for part in _passes(passes)),
    ]
    return "\n\n".join(parts)


def _passes(passes: Report) -> list[str]:
    """What the first pass and, in brackets, later ones reached with each idea."""
    clips = [name for name in passes["trials"][0] if name not in ("idea", "verdict")]
    rows = [
        [trial["idea"], *(_pass(trial.get(clip, [])) for clip in clips), trial["verdict"]]
        for trial in passes["trials"]
    ]
    return [f"{passes['what']}:", table(["idea", *clips, "verdict"], rows)]


def _pass(found: list[float | None]) -> str:
    first, *later = found or [None]
    text = "–" if first is None else f"{first:.2f}"
    return text + (f" ({', '.join(f'{psnr:.2f}' for psnr in later)})" if later else "")


def training(report: Report) -> str:
    """Speed of each preset, a whole schedule, half precision against full."""
    rows = [
        [
            name,
            str(v.get("start_up_seconds", "–")),
            f"{v['steps_per_second']:.1f}",
            str(v["schedule_steps"]),
            str(v["schedule_minutes"]),
        ]
        for name, v in report["presets"].items()
    ]
    head = ["preset", "start-up, s", "steps/s", "steps of its schedule", "minutes for these"]
    text = table(head, rows)
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


def busy(report: Report) -> str:
    """Steps per second beside other programs, by what the cores share."""
    rows = [
        [
            f"{found['channels']}, {found['precision']}",
            str(rates["busy"]),
            f"**{rates['groups']:.1f}**",
            f"{rates['all cores']:.1f}",
            f"{rates['one core']:.1f}",
        ]
        for found in report["settings"]
        for rates in found["rates"]
    ]
    head = ["channels", "cores that others keep busy", "a group of crops each (as it is)"]
    head += ["every convolution shared", "one core alone"]
    text = (
        "`benchmarks.busy`: steps per second of `fast`, with zero padding, while so many other "
        f"programs run a loop each; medians of {report['rounds']}."
    )
    return f"{text}\n\n{table(head, rows)}"
