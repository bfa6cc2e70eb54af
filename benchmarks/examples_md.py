"""What RESULTS.md says of the kinds of internal examples."""

from typing import Any

from benchmarks.markdown import table

INTRO = """`benchmarks.examples`: a network of `{preset}` is trained on each clip, degraded by 8, \
from one kind of examples alone (paper, Table 2), for so many steps; PSNR in dB of its first pass \
against the truth at the coarsest rung, all frames but those of two input frames at each end. Then \
what `--examples auto` chooses for the whole training, and by how much another kind beats that."""


def examples(report: dict[str, Any]) -> str:
    """A row for each clip."""
    rows, losses = [], []
    for clip, found in report["clips"].items():
        psnrs = found["psnr"]
        kinds = [kind for kind in psnrs if kind != "cubic"]
        chosen = found["auto"]["examples"]
        best = max(kinds, key=lambda kind: psnrs[kind])
        losses.append(psnrs[best] - psnrs["cubic" if chosen == "none" else chosen])
        cells = [f"{psnrs[kind]:.2f}" for kind in ("cubic", *kinds)]
        rows.append([clip, str(found["steps"]), *cells, chosen, f"{losses[-1]:.2f}"])
    head = ["clip", "steps", "cubic", *kinds, "auto chooses", "and loses"]
    mean = sum(losses) / len(losses)
    text = f"Mean loss over {len(losses)} clips: {mean:.2f} dB. {report.get('note', '')}".strip()
    return "\n\n".join([INTRO.format(**report), table(head, rows), text])
