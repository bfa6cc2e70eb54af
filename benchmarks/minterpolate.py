"""FFmpeg's motion-compensated interpolation as a stream of frames.

The binary comes with PyPI's `imageio-ffmpeg`; the one that a system happens to have would make the
figures depend on it.
"""

import contextlib
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import IO

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.float32]
"""(3, H, W) float32 in [0, 1]."""

PADDING = 2
"""Frames mirrored at either end: the filter interpolates only between frames that have neighbours
on both sides, and takes the start of motion after a still frame for a cut."""

OPTIONS = "mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1"
"""What its manual recommends for quality: adaptive overlapped blocks of variable size."""


def interpolated(frames: Iterable[Frame], num_frames: int, factor: int) -> Iterator[Frame]:
    """`factor` frames for each of `num_frames`, at the same instants as `baselines.upsampled`.

    The filter places its frames at multiples of its rate's interval from the first input frame. The
    wanted instants are the odd multiples of 1 / 2f: it interpolates to 2f times the rate, and every
    second frame is taken. Before the first and after the last frame these are held.

    Raises:
        SystemExit: too few frames, or FFmpeg failed; its own words are in the message.
    """
    if num_frames <= PADDING:
        raise SystemExit(f"minterpolate needs more than {PADDING} frames, found {num_frames}")
    rate = 2 * factor
    first, last = rate * PADDING, rate * (PADDING + num_frames - 1)
    produced = _filtered(_mirrored(frames), f"minterpolate=fps={rate}:{OPTIONS}")
    for number, frame in enumerate(islice(produced, last + 1)):
        if number in (first, last):
            yield from [frame] * (factor // 2)
        elif number > first and number % 2:
            yield frame


def _mirrored(frames: Iterable[Frame]) -> Iterator[Frame]:
    source = iter(frames)
    head = list(islice(source, PADDING + 1))
    yield from head[:0:-1]
    yield from head
    tail = deque(head, PADDING + 1)
    for frame in source:
        tail.append(frame)
        yield frame
    yield from list(tail)[-2::-1]


def _filtered(frames: Iterator[Frame], graph: str) -> Iterator[Frame]:
    """The frames through a filter graph of FFmpeg, in YUV 4:4:4, one per second."""
    import imageio_ffmpeg

    head = next(frames)
    _, height, width = head.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, "-s", f"{width}x{height}"]
    command += ["-r", "1", "-i", "-", "-vf", f"format=yuv444p,{graph}"]
    command += ["-fps_mode", "passthrough", *raw, "-"]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
        )
        assert process.stdin is not None
        assert process.stdout is not None
        everything = chain([head], frames)
        feeder = threading.Thread(target=_feed, args=(process.stdin, everything), daemon=True)
        feeder.start()
        try:
            while data := process.stdout.read(3 * height * width):
                yield _from_bytes(data, height, width)
        finally:
            process.kill()  # the reader may have had enough
            feeder.join()
            process.stdout.close()
            process.wait()
        complaints.seek(0)
        if said := complaints.read().decode(errors="replace").strip():
            raise SystemExit(f"ffmpeg: {said}")


def _feed(pipe: IO[bytes], frames: Iterable[Frame]) -> None:
    # A broken pipe means that the other side has had enough, or failed and says so itself.
    with contextlib.suppress(BrokenPipeError), pipe:
        for frame in frames:
            pipe.write(_to_bytes(frame))


def _to_bytes(frame: Frame) -> bytes:
    levels = np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8)
    return levels.transpose(1, 2, 0).tobytes()


def _from_bytes(data: bytes, height: int, width: int) -> Frame:
    levels = np.frombuffer(data, np.uint8).reshape(height, width, 3)
    return np.ascontiguousarray(levels.transpose(2, 0, 1), np.float32) / np.float32(255)
