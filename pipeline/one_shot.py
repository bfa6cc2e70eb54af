"""THE STORY of `tsr`: look → shots → for each shot a network → pieces → one file → record."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tsr.core.cache import keep
from tsr.core.clip_io import Encoding, join_pieces
from tsr.core.console import duration
from tsr.core.errors import OutputError
from tsr.core.outputs import check_output
from tsr.core.tiling import Span
from tsr.core.versions import versions
from tsr.pipeline.cache import VideoCache, frames_facts
from tsr.pipeline.job import Job, Section
from tsr.pipeline.record import RunRecord, ShotRecord
from tsr.pipeline.render import PIECE_FRAMES, Render
from tsr.pipeline.shot_networks import ShotNetwork, networks
from tsr.pipeline.survey import survey
from tsr.pipeline.told import Told

NEEDED = {
    "torch": "torch",
    "safetensors": "safetensors",
    "onnx": "onnx",
    "onnxscript": "onnxscript",
    "filelock": "filelock",
    "scenedetect": "scenedetect-headless",
    "cv2": "opencv-python-headless",
}
"""What the stages import beyond the base install, and the packages' names."""


def make(job: Job, kept: VideoCache, told: Told) -> RunRecord:
    """Train, export, render and write one output; whatever an earlier run left is used.

    Args:
        job: from `prepare`. kept: the video's folder in the cache, which is ours.

    Raises:
        TsrError: says what failed; what was complete is kept.
    """
    found = survey(job.clip, kept, told, cut=job.options.shots)
    sections = job.sections(found.shots)
    retimed = {section.shot for section in sections if section.factor > 1}
    made = networks(job, found, retimed, kept, told)

    times = job.times(sections)
    encoding = job.encoding(times)
    folder = kept.stage("render", _render_facts(job, sections, made, encoding))
    told.stage("render")
    render = Render(
        job, sections, {span: shot.maker for span, shot in made.items()}, folder, times, encoding
    )
    seconds = {**render.run(told), "render": told.seconds}
    told.done(f"{times.num_frames} frames in {duration(told.seconds)}")

    told.stage("write", str(job.output))
    notes = _join(render)
    decided = [shot.note for shot in made.values() if shot.note]
    record = _record(job, made, [*job.clip.notes, *decided, *notes], seconds)
    findable = replace(record, input=job.clip.path.absolute(), output=job.output.absolute())
    keep(kept.folder / "records" / f"{folder.name}.json", findable.to_json().encode())
    shutil.rmtree(folder, ignore_errors=True)
    return record


def _join(render: Render) -> list[str]:
    """Write the output from its pieces; returns what it does not keep."""
    try:
        # Again, since hours may have passed, and nothing is overwritten unasked.
        check_output(render.job.output, overwrite=render.job.options.overwrite)
        return join_pieces(
            [piece.path for piece in render.pieces],
            render.job.output,
            render.job.clip,
            times=render.times,
            encoding=render.encoding,
            streams=True,
        )
    except OutputError as error:
        raise OutputError(
            f"{error}; the finished render is kept, and the same command, or one with another "
            "output of the same kind, only writes it"
        ) from error


def _render_facts(
    job: Job, sections: Sequence[Section], made: "dict[Span, ShotNetwork]", encoding: Encoding
) -> dict[str, Any]:
    """What the bytes of the pieces depend on."""
    return {
        "tsr": versions()["tsr"],
        **frames_facts(job.clip),
        "piece_frames": PIECE_FRAMES,
        "output": {"suffix": job.output.suffix.lower(), "encoding": encoding},
        "slow_motion": job.options.slow_motion,
        "sections": sections,
        "makers": {str(span): shot.facts for span, shot in made.items()},
    }


def _record(
    job: Job, made: dict[Span, ShotNetwork], notes: list[str], seconds: dict[str, float]
) -> RunRecord:
    def each(values: list[str]) -> str:
        return ", ".join(dict.fromkeys(values))

    shots = list(made.values())
    stages = {
        stage: sum(shot.record.seconds.get(stage, 0.0) for shot in shots)
        for stage in ("train", "export")
    }
    return RunRecord(
        input=job.clip.path,
        output=job.output,
        factor=job.options.factor,
        ladder=each([str(shot.maker.ladder) for shot in shots]),
        precision=each([shot.precision for shot in shots]),
        backend=each([shot.backend for shot in shots]),
        settings=job.options.to_dict(),
        exposure=shots[0].maker.ladder.exposure,
        shots=tuple(_retimed(shot.record, job.retimed) for shot in shots),
        seconds={name: round(value, 2) for name, value in {**stages, **seconds}.items()},
        versions=versions(),
        notes=tuple(notes),
    )


def _retimed(record: ShotRecord, part: Span) -> ShotRecord:
    """Of a shot, the part that was retimed."""
    start, stop = max(record.start, part[0]), min(record.stop, part[1])
    return replace(record, start=start, stop=stop)
