"""Several inputs, one after the other: a failure is said and does not stop the rest."""

import json
import re
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tsr.core.console import check_installed, duration
from tsr.core.errors import ClipError, OutputError, TsrError, refusal
from tsr.core.model_card import file_sha256
from tsr.core.outputs import check_output, is_folder, real
from tsr.pipeline.cache import BusyError, Cache
from tsr.pipeline.job import Job, prepare
from tsr.pipeline.one_shot import NEEDED, make
from tsr.pipeline.options import Options
from tsr.pipeline.record import RunRecord
from tsr.pipeline.told import Told
from tsr.runtime.run import default_output

VIDEO_SUFFIXES = {
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
    ".mxf", ".ogv", ".ts", ".webm", ".wmv", ".y4m",
}  # fmt: skip
"""What is taken for a video in a folder."""


@dataclass(frozen=True)
class Task:
    """One input, its output if one was named, and its report if one is wanted. In a batch it is one
    of several inputs, or from a folder: however many those are now, they are given again."""

    clip: Path
    output: Path | None
    report: Path | None = None
    in_batch: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a task: a file and, unless it is a preview or was there already, a record; or
    an error in words."""

    task: Task
    wrote: Path | None = None
    record: RunRecord | None = None
    error: str = ""
    kept: bool = False


def tasks(
    inputs: Sequence[Path], output: Path | None, factor: int, report: Path | None = None
) -> list[Task]:
    """Inputs, folders of videos replaced by what is in them, and where each output goes.

    Args:
        output, report: of the only input; else the folder for all of them, which is made if need
            be.

    Raises:
        ClipError: a folder holds no video. OutputError: two inputs have one output.
    """
    clips = [clip for given in inputs for clip in _expanded(given)]
    if clips == list(inputs) and len(clips) == 1:
        return [Task(clips[0], output, report)]
    for folder, option in ((output, "-o"), (report, "--report")):
        if folder is not None:
            _make_folder(folder, option)
    found: dict[Path, Path] = {}
    for clip in clips:
        usual = default_output(clip, factor)
        target = usual if output is None else output / usual.name
        if target in found:
            raise OutputError(
                f"{found[target]} and {clip} would both become {target}; run them apart, with -o"
            )
        found[target] = clip
    return [
        Task(clip, target, None if report is None else report / f"{target.stem}.html", True)
        for target, clip in found.items()
    ]


def _expanded(given: Path) -> list[Path]:
    """The videos of a folder; the path itself if it is a file or a folder of images.

    Hidden files are somebody's own, such as what another process is writing; and among videos an
    image is a cover.
    """
    if not is_folder(given):
        return [given]
    files = sorted(file for file in given.iterdir() if not file.name.startswith("."))
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    if not videos and any(file.suffix.lower() == ".png" for file in files):
        return [given]
    stems = {file.stem for file in videos}
    videos = [file for file in videos if not _made_of(file, stems)]
    if not videos:
        raise ClipError(f"folder {given} holds neither videos nor PNG images")
    return videos


def _made_of(file: Path, stems: Collection[str]) -> bool:
    """Whether the file is called like an output that was made of another video in its folder."""
    found = re.fullmatch(r"(.+)_x[248](?:_preview)?", file.stem, re.DOTALL)
    return found is not None and found[1] in stems


def _make_folder(folder: Path, option: str) -> None:
    if folder.suffix and not folder.is_dir():
        raise OutputError(
            f"there are several inputs, so {option} names a folder; {folder} looks like none"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {folder} cannot be made ({error.strerror})") from error


def make_all(
    todo: Sequence[Task], options: Options, cache: Cache, told: Told, *, preview: bool = False
) -> list[Outcome]:
    """Make all outputs, or previews; what cannot succeed is found before the first work is done.

    In a batch an output that is there already is passed over, so that one that was interrupted, or
    whose folder has grown, can be given again.

    Raises:
        SettingsError: a package is not installed.
    """
    check_installed("tsr", "all", NEEDED)
    outcomes: list[Outcome] = []

    def failed(task: Task, error: Exception) -> None:
        said = refusal(error) if isinstance(error, OSError) else str(error)
        text = " ".join(said.split()) or "out of memory"
        outcomes.append(Outcome(task, error=text))
        told.event("failed", input=task.clip, error=text)
        if task.in_batch:
            told.line(f"failed: {text}")

    inputs = tuple(task.clip for task in todo)
    jobs: deque[tuple[Task, Job]] = deque()
    for task in todo:
        try:
            if not preview and _there(task, options, inputs):
                outcomes.append(_left(task, told))
                continue
            job = prepare(task.clip, task.output, options, cache.root, inputs, preview=preview)
            if task.report is not None:
                taken = (task.clip, job.output)
                check_output(task.report, inputs=taken, overwrite=options.overwrite)
            jobs.append((task, job))
        except (TsrError, OSError) as error:
            failed(task, error)
    num_busy = 0
    while jobs:
        task, job = jobs.popleft()
        told.about(input=str(task.clip), output=str(job.output))
        try:
            outcome = _make(task, job, cache, told, preview, wait=num_busy > len(jobs))
            num_busy = 0
            if task.report is not None and outcome.record is not None:
                _report(outcome.record, task.report, told)
            outcomes.append(outcome)
        except BusyError:
            jobs.append((task, job))
            num_busy += 1
        except (TsrError, OSError, MemoryError) as error:
            failed(task, error)
    return outcomes


def _there(task: Task, options: Options, inputs: Collection[Path]) -> bool:
    """Whether a task's output exists and may stay, as it may in a batch."""
    output = task.output
    if not task.in_batch or output is None or options.overwrite or not output.exists():
        return False
    return real(output) not in {real(given) for given in inputs}


def _left(task: Task, told: Told) -> Outcome:
    told.event("kept", input=task.clip, output=task.output)
    return Outcome(task, task.output, kept=True)


def _make(task: Task, job: Job, cache: Cache, told: Told, preview: bool, *, wait: bool) -> Outcome:
    name = job.clip.path.name

    def waiting() -> None:
        told.note(f"another tsr works on {name}; waiting for it to end")

    with cache.video(file_sha256(job.clip.path), name, waiting if wait else None) as kept:
        if not preview:  # again: who held the video may have made this very output
            if _there(task, job.options, ()):
                return _left(task, told)
            check_output(job.output, overwrite=job.options.overwrite)
        told.line(f"{job.clip.path} → {job.output}")
        if preview:
            from tsr.pipeline.preview import preview as show

            wrote = show(job, kept, told)
            told.event("preview", wrote=wrote)
            return Outcome(task, wrote)
        record = make(job, kept, told)
    for note in record.notes:
        told.note(note)
    told.event("done", record=json.loads(record.to_json()))
    return Outcome(task, record.output, record)


def _report(record: RunRecord, page: Path, told: Told) -> None:
    from tsr.pipeline.report.story import write_report

    told.stage("report", str(page))
    try:
        write_report(record, page, progress=told)
    except TsrError as error:
        raise OutputError(f"{record.output} is complete, but its report is not: {error}") from error
    told.done(f"{page} in {duration(told.seconds)}")
