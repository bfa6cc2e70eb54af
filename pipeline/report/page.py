"""The page as a whole: head, facts, sections, and the tables of what was done."""

import base64
import hashlib
from collections.abc import Iterable
from importlib.resources import files

from tsr.pipeline.record import RunRecord
from tsr.pipeline.report.footage import HDR_TRANSFERS, Footage
from tsr.pipeline.report.markup import (
    KEEP,
    NUMBER,
    WRAP,
    decibels,
    pairs,
    paragraph,
    section,
    table,
    text,
    timecode,
)

CONTENTS = {
    "compare": "Before and after",
    "slices": "Motion over time",
    "certificate": "Re-blur certificate",
    "nyquist": "Faster than the camera",
    "training": "Training",
    "run": "The run",
}


def page(footage: Footage, facts: Iterable[tuple[str, str]], sections: Iterable[str]) -> str:
    """One HTML document that needs nothing else and runs no script but its own."""
    style, script = (
        files(__package__).joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    name = text(footage.record.output.name)
    links = "".join(f'<a href="#{id}">{text(title)}</a>' for id, title in CONTENTS.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{name}: report</title><style>{style}</style></head><body>"
        f'{_header(footage, facts)}<main><nav aria-label="Contents">{links}</nav>'
        f"{''.join(sections)}</main><footer>Pictures are JPEG of high quality, slices and maps are "
        f"exact. This page loads nothing from anywhere.</footer><script>{script}</script>"
        "</body></html>\n"
    )


def run_section(footage: Footage) -> str:
    """Shots, times, settings, versions and notes."""
    record = footage.record
    parts = [_shots(footage)]
    parts.append('<div class="columns">')
    stages = [(name, f"{value:.1f} s") for name, value in record.seconds.items()]
    parts.append(_listing("Time by stage", stages))
    computed = {"ladder": record.ladder, "precision": record.precision, "backend": record.backend}
    parts.append(_listing("Settings", {**computed, **record.settings}.items()))
    parts.append(_listing("Versions", record.versions.items()))
    parts.append("</div>")
    notes = [*record.notes, *footage.slow.notes, *_hdr(footage)]
    if notes:
        items = "".join(f"<li>{text(note)}</li>" for note in notes)
        parts.append(f'<h3>Notes</h3><ul class="notes">{items}</ul>')
    return section("run", "The run", *parts)


def _header(footage: Footage, facts: Iterable[tuple[str, str]]) -> str:
    record = footage.record
    height, width = footage.size
    items = "".join(
        f"<li><b>{text(value)}</b><span>{text(what)}</span></li>" for value, what in facts
    )
    return (
        f'<header class="top"><p class="over">Temporal super-resolution ×{record.factor}</p>'
        f"<h1>{text(record.output.name)}</h1>"
        f'<p class="lead">made from {text(record.input.name)}, {width}×{height}, '
        f"{_means(record)}</p>"
        f'<ul class="facts">{items}</ul></header>'
    )


def _means(record: RunRecord) -> str:
    if any(shot.source != "interpolated" for shot in record.shots):
        return "by networks trained on that video alone"
    return "by interpolation"


def _shots(footage: Footage) -> str:
    head = (
        ("Shot", NUMBER),
        ("From", KEEP),
        ("Frames", KEEP),
        ("Made by", ""),
        ("Why", WRAP),
        ("PSNR", NUMBER),
        ("cubic", NUMBER),
        ("Gain", NUMBER),
        ("Duplicates", NUMBER),
        ("Seconds", ""),
    )
    rows = [
        (
            number,
            timecode(footage.seconds(shot.start)),
            f"{shot.start}–{shot.stop - 1} ({shot.stop - shot.start})",
            shot.source,
            shot.reason,
            decibels(shot.psnr),
            decibels(shot.psnr_cubic),
            _gain(shot.psnr, shot.psnr_cubic),
            len(shot.duplicates),
            ", ".join(f"{name} {value:.1f}" for name, value in shot.seconds.items()) or "–",
        )
        for number, shot in enumerate(footage.shots, start=1)
    ]
    return "<h3>Shots</h3>" + table(head, rows)


def _gain(psnr: float | None, cubic: float | None) -> str:
    return "–" if psnr is None or cubic is None else f"{psnr - cubic:+.2f} dB"


def _listing(title: str, rows: Iterable[tuple[object, object]]) -> str:
    rows = list(rows)
    body = pairs(rows) if rows else paragraph("Not recorded.", "soft")
    return f"<div><h3>{text(title)}</h3>{body}</div>"


def _hdr(footage: Footage) -> list[str]:
    name = HDR_TRANSFERS.get(footage.slow.colour.transfer)
    return (
        [f"the video is {name}; the pictures here are not tone-mapped, so they look pale"]
        if name
        else []
    )
