"""THE STORY of `tsr`: look → shots → for each shot a network → pieces → one file → record."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tsr.core.cache import keep
from tsr.core.clip_io import ClipInfo, Encoding, join_pieces
from tsr.core.console import check_installed, duration
from tsr.core.errors import OutputError
from tsr.core.model_card import file_sha256
from tsr.core.tiling import Span
from tsr.core.versions import versions
from tsr.pipeline import machine, network
from tsr.pipeline.borrowing import lender, looks
from tsr.pipeline.cache import VideoCache
from tsr.pipeline.interpolation import interpolation
from tsr.pipeline.job import MIN_FRAMES, Frames, Job, Section
from tsr.pipeline.record import RunRecord, ShotRecord
from tsr.pipeline.render import PIECE_FRAMES, Maker, Render
from tsr.pipeline.told import Told

NEEDED = {
    "torch": "torch",
    "safetensors": "safetensors",
    "onnx": "onnx",
    "onnxscript": "onnxscript",
    "filelock": "filelock",
}
"""What the stages import beyond the base install, and the packages' names."""


def find_shots(clip: ClipInfo) -> Sequence[Frames]:
    """The whole video as one shot."""
    return [range(clip.num_frames)]


def make(job: Job, kept: VideoCache, told: Told) -> RunRecord:
    """Train, export, render and write one output; whatever an earlier run left is used.

    Args:
        job: from `prepare`. kept: the video's folder in the cache, which is ours.

    Raises:
        TsrError: says what failed; what was complete is kept.
    """
    check_installed("tsr", "all", NEEDED)
    shots = find_shots(job.clip)
    sections = job.sections(shots)
    retimed = {section.shot for section in sections if section.factor > 1}
    made = networks(job, [shot for shot in shots if (shot.start, shot.stop) in retimed], kept, told)

    times = job.times(sections)
    encoding = job.encoding(times)
    folder = kept.stage("render", _render_facts(job, sections, made, encoding))
    told.stage("render")
    render = Render(
        job, sections, {span: shot.maker for span, shot in made.items()}, folder, times, encoding
    )
    if done := render.num_complete():
        told.note(f"going on behind {render.pieces[done - 1].made[1]} frames of an earlier run")
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
        return join_pieces(
            [piece.path for piece in render.pieces],
            render.job.output,
            render.job.clip,
            times=render.times,
            encoding=render.encoding,
            audio_from=render.job.clip.path,
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
        "piece_frames": PIECE_FRAMES,
        "output": {"suffix": job.output.suffix.lower(), "encoding": encoding},
        "slow_motion": job.options.slow_motion,
        "sections": sections,
        "makers": {str(span): shot.facts for span, shot in made.items()},
    }


@dataclass(frozen=True)
class ShotNetwork:
    """What makes a shot, what it depends on, and what was decided for it; `note` for the user."""

    maker: Maker
    facts: dict[str, Any]
    record: ShotRecord
    precision: str
    backend: str
    note: str = ""


def networks(
    job: Job, shots: Sequence[Frames], kept: VideoCache, told: Told
) -> dict[Span, ShotNetwork]:
    """For each shot its own network, or, where it is too short to learn from, another way.

    Raises:
        TsrError: a network could not be trained or exported.
    """
    target = machine.best_target(job.options.device)
    spans = [(shot.start, shot.stop) for shot in shots]
    long = [span for span in spans if span[1] - span[0] >= MIN_FRAMES]
    made = {span: _trained(job, span, target, kept, told) for span in long}
    if short := [span for span in spans if span not in made]:
        look_of = looks(job.clip, spans)
        for span in short:
            other = lender(span, long, look_of)
            made[span] = _borrowed(span, made[other]) if other else _interpolated(job, span)
    return {span: made[span] for span in spans}


def _trained(
    job: Job, span: Span, target: machine.Target, kept: VideoCache, told: Told
) -> ShotNetwork:
    from tsr.runtime.open_backend import open_backend
    from tsr.runtime.run import choose_ladder

    whole = span == (0, job.clip.num_frames)
    clip = job.clip if whole else job.clip.part(*span)
    training = network.train(clip, job.options, kept, told)
    exported = network.export(training, clip, target, kept, told)
    device = "cpu" if target == "cpu" else "auto"
    backend, card = open_backend(exported.file, device)
    ladder = choose_ladder(card, clip, job.options.factor, None)
    record = ShotRecord(
        start=span[0],
        stop=span[1],
        source="trained",
        reason=f"{clip.num_frames} frames to learn from",
        model=str(training.model),
        history=training.history,
        psnr=training.psnr,
        psnr_cubic=training.cubic,
        seconds={"train": training.seconds, "export": exported.seconds},
    )
    facts = {
        "model": file_sha256(exported.file),
        "ladder": str(ladder),
        "backend": backend.name,
    }
    maker = Maker(ladder, partial(_opened, exported.file, device))
    return ShotNetwork(maker, facts, record, exported.precision, backend.name, exported.note)


def _opened(file: Path, device: str) -> Any:
    from tsr.runtime.open_backend import open_backend

    return open_backend(file, device)[0]


def _borrowed(span: Span, lender: ShotNetwork) -> ShotNetwork:
    theirs = lender.record
    record = ShotRecord(
        start=span[0],
        stop=span[1],
        source="borrowed",
        reason=f"{span[1] - span[0]} frames are too few to learn from ({MIN_FRAMES} at least); "
        f"the network is that of frames {theirs.start} to {theirs.stop - 1}, which look alike",
        model=theirs.model,
    )
    return replace(lender, record=record, note="")


def _interpolated(job: Job, span: Span) -> ShotNetwork:
    num_frames = span[1] - span[0]
    ladder, backend = interpolation(job.options.factor)
    record = ShotRecord(
        start=span[0],
        stop=span[1],
        source="interpolated",
        reason=f"{num_frames} frames are too few to learn from ({MIN_FRAMES} at least), and no "
        "longer shot looks alike",
    )
    facts = {"backend": backend.name, "ladder": str(ladder)}
    maker = Maker(ladder, lambda: interpolation(job.options.factor)[1])
    return ShotNetwork(maker, facts, record, "fp32", backend.name)


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
