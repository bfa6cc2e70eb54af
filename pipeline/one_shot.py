"""THE STORY of `tsr`: look → shots → for each shot a network → pieces → one file → record."""

import shutil

from tsr.core.cache import keep
from tsr.core.clip_io import join_pieces
from tsr.core.console import check_installed, duration
from tsr.core.tiling import Span
from tsr.core.versions import versions
from tsr.pipeline.cache import VideoCache
from tsr.pipeline.job import Job
from tsr.pipeline.record import RunRecord
from tsr.pipeline.render import Render
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
    check_installed("tsr", "all", NEEDED)
    found = survey(job.clip, kept, told, cut=job.options.shots)
    sections = job.sections(found.shots)
    retimed = {section.shot for section in sections if section.factor > 1}
    made = networks(job, found, retimed, kept, told)

    facts = {
        "output": {
            "suffix": job.output.suffix.lower(),
            "encoding": job.encoding(job.times(sections)),
        },
        "slow_motion": job.options.slow_motion,
        "sections": sections,
        "makers": {str(span): shot.facts for span, shot in made.items()},
    }
    folder = kept.stage("render", facts)
    told.stage("render")
    render = Render(job, sections, {span: shot.maker for span, shot in made.items()}, folder)
    if done := render.num_complete():
        told.note(f"going on behind {render.pieces[done - 1].made[1]} frames of an earlier run")
    stages = render.run(told)
    rendered = told.seconds
    told.done(f"{render.times.num_frames} frames in {duration(rendered)}")

    told.stage("write", str(job.output))
    notes = join_pieces(
        [piece.path for piece in render.pieces],
        job.output,
        job.clip,
        times=render.times,
        encoding=render.encoding,
        audio_from=job.clip.path,
    )
    decided = [shot.note for shot in made.values() if shot.note]
    record = _record(job, made, [*job.clip.notes, *decided, *notes], {**stages, "render": rendered})
    keep(kept.folder / "records" / f"{folder.name}.json", record.to_json().encode())
    shutil.rmtree(folder, ignore_errors=True)
    return record


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
        shots=tuple(shot.record for shot in shots),
        seconds={name: round(value, 2) for name, value in {**stages, **seconds}.items()},
        versions=versions(),
        notes=tuple(notes),
    )
