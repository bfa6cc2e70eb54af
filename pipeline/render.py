"""A video in pieces: each is encoded on its own and kept when it is complete, then all are joined.

So a process may end at any moment, and another goes on behind the last complete piece, to the same
bytes: pieces are cut at fixed places, and none depends on who made the one before.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import (
    ClipInfo,
    ClipReader,
    ClipWriter,
    Clock,
    Encoding,
    FrameTimes,
    piece_suffix,
    probe,
)
from tsr.core.errors import ClipError, OutputError
from tsr.core.ladder import ScaleLadder
from tsr.core.tiling import Span, spans
from tsr.pipeline.content import Content, as_pictures, pictures_of, shot_frames
from tsr.pipeline.job import Job, Section
from tsr.pipeline.told import Told
from tsr.runtime.backend import Backend
from tsr.runtime.overlap import Behind, ahead
from tsr.runtime.run import DECODED_AHEAD, RunProgress, network_work, segment_size

PIECE_FRAMES = 240
"""Output frames that a piece has at most: what a killed process loses. Encoders begin anew about as
often by themselves, so the joints cost next to nothing."""


@dataclass(frozen=True)
class Maker:
    """What computes the frames of a shot: the steps, how to open what takes them, what the shot
    holds beside motion, and the backend's `segment_voxels`."""

    ladder: ScaleLadder
    open: Callable[[], Backend[Any]]
    content: Content
    segment_voxels: int

    def segment(self, clip: ClipInfo) -> int:
        """Input frames that are computed at a time."""
        return segment_size(self.ladder, clip.height, clip.width, self.segment_voxels)

    def frames(self, shot: ClipInfo, factor: int) -> Generator[NDArray[np.float32], None, None]:
        """The output frames of a shot, in order: `factor` per input frame."""
        yield from shot_frames(
            shot,
            self.content,
            self.ladder,
            self.open(),
            _read,
            factor=factor,
            segment=self.segment(shot),
            part=(0, shot.num_frames),
        )


@dataclass(frozen=True)
class Piece:
    """One file of a render.

    Args:
        section: what it is cut from. frames: [first, last) of the input. made: of the output.
        path: the file or folder; it is there when it is complete.
    """

    section: Section
    frames: Span
    made: Span
    path: Path


class Render:
    """The output of a job, piece by piece.

    Args:
        sections: the input in order. makers: by shot; what has none keeps its frames.
        folder: where pieces are kept. times, encoding: of the output.
    """

    def __init__(
        self,
        job: Job,
        sections: Sequence[Section],
        makers: Mapping[Span, Maker],
        folder: Path,
        times: FrameTimes,
        encoding: Encoding,
    ) -> None:
        self.job, self.makers = job, makers
        self.times, self.encoding = times, encoding
        self.pieces = list(self._cut(sections, folder))
        self._clock = Clock.of(self.times)

    def _cut(self, sections: Sequence[Section], folder: Path) -> Iterator[Piece]:
        suffix, made = piece_suffix(self.encoding, self.job.output), 0
        for section in sections:
            size = self._segment(section)
            size *= max(1, PIECE_FRAMES // (size * section.factor))
            first, last = section.frames
            for frames in spans(last - first, size, first):
                count = (frames[1] - frames[0]) * section.factor
                path = folder / f"{made:09d}{suffix}"
                yield Piece(section, frames, (made, made + count), path)
                made += count

    def _segment(self, section: Section) -> int:
        if section.factor == 1:
            return 1
        usual = self.makers[section.shot].segment(self.job.clip)
        return max(1, min(usual, PIECE_FRAMES // section.factor))

    def run(self, told: Told) -> dict[str, float]:
        """Make the pieces that are not there yet; returns seconds by stage, which overlap.

        Raises:
            TsrError: the input is damaged, or the disk is full; complete pieces are kept.
        """
        complete = list(takewhile(_is_whole, self.pieces))
        if complete:
            told.note(f"going on behind {complete[-1].made[1]} frames of an earlier run")
        missing = self.pieces[len(complete) :]
        progress = _Progress(self, missing, told)
        seconds: dict[str, float] = {}
        notes: dict[str, None] = {}
        for section, group in groupby(missing, key=lambda piece: piece.section):
            pieces = list(group)
            with closing(self._made(section, pieces, progress, seconds, notes)) as made:
                for piece in pieces:
                    self._write(piece, made, progress)
        for note in notes:
            told.note(note)
        return seconds

    def _made(
        self,
        section: Section,
        pieces: Sequence[Piece],
        progress: "_Progress",
        seconds: dict[str, float],
        notes: dict[str, None],
    ) -> Generator[NDArray[np.float32], None, None]:
        """The output frames of a section, from the first of these pieces on.

        Args:
            seconds, notes: receive what the backend took and what it had to change.
        """
        wanted = (pieces[0].frames[0], pieces[-1].frames[1])
        clip, start = self.job.clip, section.shot[0]
        if section.factor == 1:
            yield from _read(clip.part(*wanted))
            return
        maker = self.makers[section.shot]
        backend = maker.open()
        backend.worked = progress.worked
        try:
            yield from shot_frames(
                clip.part(*section.shot),
                maker.content,
                maker.ladder,
                backend,
                _read,
                factor=section.factor,
                segment=self._segment(section),
                part=(wanted[0] - start, wanted[1] - start),
            )
        finally:
            for stage, value in backend.seconds.items():
                seconds[stage] = seconds.get(stage, 0.0) + value
            notes.update(dict.fromkeys(backend.notes))

    def _write(
        self, piece: Piece, made: Iterator[NDArray[np.float32]], progress: "_Progress"
    ) -> None:
        writer = ClipWriter(
            piece.path,
            self.job.clip,
            times=self.times.part(*piece.made),
            encoding=self.encoding,
            clock=self._clock,
        )
        try:
            with writer, Behind(writer.write, piece.section.factor + 1) as encode:
                for frame in islice(made, piece.made[1] - piece.made[0]):
                    encode(frame)
                    progress.written()
        except OutputError as error:
            raise OutputError(
                f"{error}; what is complete is kept, and the same command goes on from there"
            ) from error


def _is_whole(piece: Piece) -> bool:
    """Whether a piece is there and holds its frames; what a crash has damaged is made again."""
    try:
        return probe(piece.path).num_frames == piece.made[1] - piece.made[0]
    except ClipError:
        return False


def _read(clip: ClipInfo) -> Iterator[NDArray[np.float32]]:
    """Frames, decoded ahead."""
    with ClipReader(clip.path, clip) as reader:
        yield from ahead(iter(reader), DECODED_AHEAD)


class _Progress:
    """Counts frames, and the network's work, which is the better measure of time."""

    def __init__(self, render: Render, missing: Sequence[Piece], told: Told) -> None:
        frames, work = render.times.num_frames, 0
        for section, group in groupby(missing, key=lambda piece: piece.section):
            if section.factor > 1:
                pieces, start = list(group), section.shot[0]
                part = (pieces[0].frames[0] - start, pieces[-1].frames[1] - start)
                maker = render.makers[section.shot]
                shot = as_pictures(render.job.clip.part(*section.shot), maker.content)
                part = pictures_of(maker.content, part)
                work += network_work(maker.ladder, shot, render._segment(section), part)
        kept = missing[0].made[0] if missing else frames
        self._told, self._now = told, RunProgress(frames, work, written=kept, before=kept)

    def worked(self, voxels: int) -> None:
        self._now.made(voxels)
        self._show()

    def written(self) -> None:
        self._now.written += 1
        self._show()

    def _show(self) -> None:
        now, seconds = self._now, self._told.seconds
        self._told.show(now.line(seconds), share=now.share, left=now.left(seconds))
