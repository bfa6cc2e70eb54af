"""What RESULTS.md says of the kinds of internal examples."""

from typing import Any

from benchmarks.markdown import table

INTRO = """`benchmarks.examples`: a network of `{preset}` is trained on each video, degraded by \
8, from one kind of examples alone (paper, Table 2), as long as any training, and makes it fast \
again; PSNR in dB, mean over the frames; none: cubic interpolation and back-projection. Then what \
`--examples auto` chooses, and by how much another kind beats that. Videos beside the clips are \
rendered: the demo's scene and some of "Motion aliasing"."""

KINDS = ("none", "within", "across", "both")


def examples(report: dict[str, Any]) -> str:
    """A row for each video."""
    rows = []
    commits = {c for found in report["clips"].values() for c in found["commits"].values()}
    losses: dict[str, list[float]] = {kind: [] for kind in ("auto", "within", "both")}
    for clip, found in report["clips"].items():
        psnrs = found["psnr"]
        chosen = found["auto"]["examples"]
        for who, kind in (("auto", chosen), ("within", "within"), ("both", "both")):
            losses[who].append(max(psnrs.values()) - psnrs[kind])
        cells = [f"{psnrs[kind]:.2f}" if kind in psnrs else "–" for kind in KINDS]
        rows.append([clip, str(found["steps"]), *cells, chosen, f"{losses['auto'][-1]:.2f}"])
    head = ["video", "steps", *KINDS, "auto chooses", "and loses"]
    auto, within, both = (f"{sum(lost) / len(lost):.2f}" for lost in losses.values())
    text = (
        f"Mean loss over {len(rows)} videos against the best kind of each: auto {auto} dB, within "
        f"everywhere {within} dB, both everywhere {both} dB. The rule of `auto` was made on these. "
        f"Measured at commits {', '.join(sorted(commits))}."
    )
    return "\n\n".join([INTRO.format(**report), table(head, rows), text])
