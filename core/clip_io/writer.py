"""Frames into a file that appears, complete, only at the end."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tsr.core.clip_io.encoding import Encoding, choose_encoding
from tsr.core.clip_io.info import ClipInfo
from tsr.core.clip_io.pixels import Frame, Plane
from tsr.core.clip_io.side_streams import KINDS
from tsr.core.clip_io.sinks import FolderSink, FrameSink
from tsr.core.clip_io.tags import Tags, read_tags
from tsr.core.clip_io.times import Clock, FrameTimes, Stretch, stretch
from tsr.core.clip_io.video_sink import VideoSink
from tsr.core.errors import OutputError
from tsr.core.outputs import completed
from tsr.core.pipes import STANDARD, is_pipe
from tsr.core.volume import Volume, check_volume


class ClipWriter:
    """A context manager that encodes frames; `path` appears only if the block ends well.

    A pipe (`-` is standard output) takes the frames as they come.

    Colour tags, rotation, pixel shape, metadata and chapters are `info`'s. Use `core.outputs.
    check_output` before long work; an existing file is replaced.

    Args:
        path: the output; see `choose_encoding` for what its name means.
        info: the clip that the frames were made from.
        times: when each output frame is shown; exactly this many frames must be written.
        encoding: `choose_encoding(path, info)` when None.
        streams: whether sound, subtitles and attachments of `info`'s file are kept, in sync. What
            the output has no place for becomes a note, and so does sound when time is stretched.
        clock: of the whole video, when this file is a piece for `join_pieces`: it holds no tags.

    Raises:
        OutputError: the file cannot be written, or the number of frames is not `times`'.
    """

    def __init__(
        self,
        path: Path,
        info: ClipInfo,
        *,
        times: FrameTimes,
        encoding: Encoding | None = None,
        streams: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.path = Path(path)
        self.info = info
        self.times = times
        self.encoding = encoding or choose_encoding(self.path, info)
        self.streams, self.clock = streams, clock
        self.notes: list[str] = list(self.encoding.notes)
        """What the output does not keep; complete once the block has ended."""
        self._stack = ExitStack()
        self._sink: FrameSink | None = None
        self._count = 0

    def __enter__(self) -> Self:
        piped = is_pipe(self.path)
        temporary = self.path if piped else self._stack.enter_context(completed(self.path))
        try:
            self._sink = self._open(temporary)
            self._stack.push(self._sink.__exit__)
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def _open(self, temporary: Path) -> FrameSink:
        stretched = stretch(self.info, self.times)
        beside: tuple[str, ...] = ()
        if self.streams:
            beside = kept_beside(self.info, self.encoding, stretched, self.notes)
        if self.encoding.is_folder:
            return FolderSink(temporary, self.info, self.encoding, self.times.num_frames)
        return VideoSink(
            temporary,
            "standard output" if self.path == STANDARD else str(self.path),
            self.info,
            self.times,
            self.encoding,
            tags=read_tags(self.info, stretched) if self.clock is None else Tags(),
            beside=beside,
            stretch=stretched,
            notes=self.notes,
            clock=self.clock,
        )

    def write(self, frame: Frame | list[Plane]) -> None:
        """Encode one (3, H, W) float32 RGB frame; values are clipped to [0, 1] and rounded. Planes
        of samples are taken, too, if a device has converted them as `stored_layout` and
        `stored_colour` say.

        Raises:
            OutputError: wrong shape or type, values that are not numbers, or more frames than
                `times` has.
        """
        if not isinstance(frame, list):
            self._check(frame)
        if self._sink is None:
            raise OutputError("the writer is not open; use it in a with statement")
        if self._count == self.times.num_frames:
            raise OutputError(f"more frames than the {self.times.num_frames} times of {self.path}")
        self._sink.write(frame)
        self._count += 1

    def _check(self, frame: Frame) -> None:
        expected = (3, self.info.height, self.info.width)
        if frame.shape != expected or frame.dtype != np.float32:
            raise OutputError(
                f"frame {self._count} is {frame.shape} {frame.dtype}; expected {expected} float32"
            )
        if not np.isfinite(frame.sum(dtype=np.float64)):
            raise OutputError(f"frame {self._count} holds values that are not finite numbers")

    def write_volume(self, volume: Volume) -> None:
        """Encode the frames of a (3, T, H, W) float32 volume in order."""
        check_volume(volume)
        for n in range(volume.shape[1]):
            self.write(np.ascontiguousarray(volume[:, n]))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._count != self.times.num_frames:
            missing = OutputError(
                f"{self._count} of {self.times.num_frames} frames were written to {self.path}"
            )
            self._stack.__exit__(type(missing), missing, None)
            raise missing
        self._stack.__exit__(kind, error, trace)


def kept_beside(
    info: ClipInfo, encoding: Encoding, stretched: Stretch, notes: list[str]
) -> tuple[str, ...]:
    """Which kinds of streams go into the output; `notes` names those that do not."""
    holds = encoding.holds
    if left_out := [kind for kind in info.beside if kind not in holds]:
        notes.append(f"{encoding.place} holds no {', '.join(left_out)}; left out")
    kept = [kind for kind in KINDS if kind in info.beside and kind in holds]
    if not stretched.is_none and "audio" in kept:
        kept.remove("audio")
        notes.append("time is stretched, so the audio was left out")
    return tuple(kept)
