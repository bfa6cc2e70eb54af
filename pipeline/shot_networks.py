"""What makes each shot of a job: its own network, that of a similar shot, or interpolation."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tsr.core.exposure import FULL
from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import file_sha256
from tsr.core.tiling import Span
from tsr.pipeline import machine, network
from tsr.pipeline.cache import VideoCache
from tsr.pipeline.content import Content
from tsr.pipeline.duplicates import frames_as_they_are, judge
from tsr.pipeline.held_time import ladder_factor
from tsr.pipeline.interpolation import interpolation
from tsr.pipeline.job import Job
from tsr.pipeline.network import Exported, Training
from tsr.pipeline.record import ShotRecord
from tsr.pipeline.render import Maker
from tsr.pipeline.shot_plan import ShotPlan, plan_models
from tsr.pipeline.shots import Shot
from tsr.pipeline.survey import Survey, unpack
from tsr.pipeline.told import Told


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
    job: Job, found: Survey, retimed: set[Span], kept: VideoCache, told: Told
) -> dict[Span, ShotNetwork]:
    """What makes the shots that are retimed; those that lend come before those that borrow.

    Raises:
        TsrError: a network could not be trained or exported.
    """
    chosen = [n for n, shot in enumerate(found.shots) if (shot.start, shot.stop) in retimed]
    shots = [found.shots[n] for n in chosen]
    contents = [_content(job, found, n) for n in chosen]
    plans = plan_models(
        shots,
        [found.looks[n] for n in chosen],
        [len(content.duplicates.to_learn) for content in contents],
    )
    target = machine.best_target(job.options.device)
    trained: dict[int, tuple[Training, Exported]] = {}
    for n, plan in enumerate(plans):
        if len(plans) > 1:
            told.line(f"shot {n + 1} of {len(plans)}, frames {plan.shot.start} to "
                      f"{plan.shot.stop - 1}: {plan.source}; {plan.reason}")  # fmt: skip
        if plan.source == "trained":
            lender = None if plan.start_from is None else trained[plan.start_from][0]
            trained[n] = _trained(job, plan.shot, contents[n], lender, target, kept, told)
    made: dict[Span, ShotNetwork] = {}
    for plan, content in zip(plans, contents, strict=True):
        if plan.model is None:
            shot = _interpolated(job, plan, content)
        else:
            shot = _by_network(job, plan, content, *trained[plan.model], target)
        made[plan.shot.start, plan.shot.stop] = shot
    return made


def _content(job: Job, found: Survey, n: int) -> Content:
    """What a shot holds, as far as the user's options let it count."""
    shot, clip = found.shots[n], job.clip
    if job.options.keep_duplicates:
        duplicates = frames_as_they_are(len(shot))
    else:
        duplicates = judge(found.changes.part(shot.start, shot.stop))
    packed = found.overlays[n] if job.options.overlays else b""
    return Content(duplicates, unpack(packed, clip.height, clip.width))


def _trained(
    job: Job,
    shot: Shot,
    content: Content,
    lender: Training | None,
    target: machine.Target,
    kept: VideoCache,
    told: Told,
) -> tuple[Training, Exported]:
    whole = len(shot) == job.clip.num_frames
    clip = job.clip if whole else job.clip.part(shot.start, shot.stop)
    to_learn = content.duplicates.to_learn
    wanted = None if len(to_learn) == len(shot) else to_learn
    start = None if lender is None else lender.model
    factor = ladder_factor(content.duplicates, job.options.factor)
    training = network.train(clip, factor, job.options, kept, told, wanted, start)
    return training, network.export(training, clip, target, kept, told)


def _by_network(
    job: Job,
    plan: ShotPlan,
    content: Content,
    training: Training,
    exported: Exported,
    target: machine.Target,
) -> ShotNetwork:
    from tsr.runtime.open_backend import open_backend
    from tsr.runtime.run import choose_ladder

    device = "cpu" if target == "cpu" else job.options.device
    backend, card = open_backend(exported.file, device)
    factor = ladder_factor(content.duplicates, job.options.factor)
    ladder = choose_ladder(card, job.clip.part(plan.shot.start, plan.shot.stop), factor, None)
    record = replace(_record(plan, content), model=str(training.model))
    if plan.source == "trained":
        record = replace(
            record,
            history=training.history,
            psnr=training.psnr,
            psnr_cubic=training.cubic,
            seconds={"train": training.seconds, "export": exported.seconds},
        )
    opened = partial(_opened, exported.file, device)
    maker = Maker(ladder, opened, content, backend.segment_voxels)
    facts = {"model": file_sha256(exported.file), **_facts(ladder, backend.name, content)}
    note = exported.note if plan.source == "trained" else ""
    return ShotNetwork(maker, facts, record, exported.precision, backend.name, note)


def _opened(file: Any, device: str) -> Any:
    from tsr.runtime.open_backend import open_backend

    return open_backend(file, device)[0]


def _interpolated(job: Job, plan: ShotPlan, content: Content) -> ShotNetwork:
    factor = ladder_factor(content.duplicates, job.options.factor)
    exposure = FULL if job.options.exposure == "auto" else job.options.exposure
    made_by = partial(
        interpolation,
        job.clip.height,
        job.clip.width,
        factor,
        exposure,
        moves=len(content.duplicates.to_learn) > 1,
    )
    ladder, backend = made_by()
    maker = Maker(ladder, lambda: made_by()[1], content, backend.segment_voxels)
    facts = _facts(ladder, backend.name, content)
    return ShotNetwork(maker, facts, _record(plan, content), "fp32", backend.name)


def _facts(ladder: ScaleLadder, backend: str, content: Content) -> dict[str, Any]:
    return {"ladder": str(ladder), "backend": backend, **content.facts()}


def _record(plan: ShotPlan, content: Content) -> ShotRecord:
    reasons = [plan.reason]
    if content.duplicates.repeats:
        reasons.append(content.duplicates.verdict)
    if content.overlay is not None:
        reasons.append(f"{content.overlay.mean():.1%} of its pixels stand still and are kept")
    return ShotRecord(
        start=plan.shot.start,
        stop=plan.shot.stop,
        source=plan.source,
        reason="; ".join(reasons),
        duplicates=tuple(plan.shot.start + n for n in content.duplicates.repeats),
    )
