"""What RESULTS.md says of where the ladder loses."""

from typing import Any

from benchmarks.markdown import table
from benchmarks.quality_md import title

INTRO = """`benchmarks.ladder`: PSNR in dB after each step of the ladder against the truth at that \
rung, of the frames that come from {middle} input frames in the middle of each clip ({method}; the \
ladder runs in FP32). "As it runs": each step is given what the step before made. "Truth given \
at": from that rung on, the step is given the truth, so that its own loss is told from what it \
inherits. More iterations of back-projection repeat its steps in space and in time after every \
climb."""


def ladder(report: dict[str, Any]) -> str:
    """A table for each clip, since ladders differ."""
    parts = [INTRO.format(middle=report["middle"], method=title(report["method"]))]
    for clip, found in report["clips"].items():
        rungs = list(found["as it runs"])
        rows = [
            [how, *(f"{scores[rung]:.2f}" if rung in scores else "" for rung in rungs)]
            for how, scores in found.items()
        ]
        parts.append(table([clip, *rungs], rows))
    return "\n\n".join(parts)
