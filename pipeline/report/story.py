"""THE STORY of the report: read both videos twice, then write one self-contained page.

    write_report(RunRecord.from_json(text), Path("report.html"))

The first pass measures the whole output against the input and finds the liveliest moments; the
second keeps what is shown of them. Memory is bounded by the frame's size, not by the length.
"""

from pathlib import Path

from tsr.core.console import duration
from tsr.core.outputs import completed
from tsr.pipeline.record import RunRecord
from tsr.pipeline.report.compare_section import compare_section, slices_section
from tsr.pipeline.report.evidence_section import (
    certificate_section,
    nyquist_section,
    training_section,
)
from tsr.pipeline.report.footage import Footage, Shows, open_footage
from tsr.pipeline.report.moments import Gathered, gather
from tsr.pipeline.report.page import page, run_section
from tsr.pipeline.report.survey import Survey, survey

CROP_SHARE = 0.3
"""Side of an enlarged place, as a share of the frame's shorter side."""
CROP_MIN, CROP_MAX = 96, 240
"""Its least and most, in pixels."""


def write_report(record: RunRecord, path: Path, *, progress: Shows | None = None) -> None:
    """Write the report of a run; it appears only when complete.

    Args:
        record: of the run; both videos that it names must be there.
        path: the page.
        progress: where to tell how far the work is.

    Raises:
        ClipError: a video is missing, damaged, or not the one that the record tells of.
        SettingsError: the record contradicts itself.
        OutputError: the page cannot be written.
    """
    footage = open_footage(record)
    crop = crop_size(footage)
    first = survey(footage, crop, progress)
    second = gather(footage, first.peaks, crop, progress)
    liveliest = max(second.moments, key=lambda moment: moment.peak.score)
    sections = (
        compare_section(footage, second),
        slices_section(footage, second.slices),
        certificate_section(footage, first.certificate),
        nyquist_section(footage, second.verdicts, liveliest),
        training_section(footage.shots),
        run_section(footage),
    )
    html = page(footage, facts(footage, first, second), sections)
    with completed(path) as temporary:
        temporary.write_text(html, "utf-8", "backslashreplace")  # names may be bytes, not text


def crop_size(footage: Footage) -> tuple[int, int]:
    """(height, width) of an enlarged place, 3 to 4; in multiples of 16 pixels, so that the JPEG
    blocks of one crop do not reach into the next."""
    short = min(footage.size)
    side = min(max(CROP_SHARE * short, CROP_MIN), CROP_MAX)
    return min(round(side / 16) * 16, short), min(round(side / 12) * 16, footage.size[1])


def facts(footage: Footage, first: Survey, second: Gathered) -> list[tuple[str, str]]:
    """The figures at the top of the page, and what each is."""
    record = footage.record
    found = first.certificate
    count = footage.num_frames
    rate = float(footage.slow.fps)
    rows = [(f"{count} → {count * record.factor}", f"frames, from {rate:.5g} per second")]
    if gain := _gain(record):
        rows.append(
            (f"{gain:+.2f} dB", "over cubic interpolation, the video predicted from half its rate")
        )
    lossy = "" if footage.lossless else ", which is encoded with loss"
    rows.append((f"{found.worst:.2f} / 255", f"largest error of the output{lossy}, re-blurred"))
    if second.verdicts is not None:
        frames = sum(bool(verdict.findings) for verdict in second.verdicts)
        of = len(second.verdicts)
        rows.append((f"{frames} of {of}", "frames examined with motion beyond the Nyquist limit"))
    if record.seconds:
        total = record.seconds.get("total", sum(record.seconds.values()))
        rows.append((duration(total), f"on {record.backend}, {record.precision}"))
    return rows


def _gain(record: RunRecord) -> float | None:
    """Mean validation gain in dB over the frames of all shots that have one."""
    known = [
        (shot.stop - shot.start, shot.psnr - shot.psnr_cubic)
        for shot in record.shots
        if shot.psnr is not None and shot.psnr_cubic is not None
    ]
    frames = sum(number for number, _ in known)
    return sum(number * gain for number, gain in known) / frames if frames else None
