"""What a look at the whole video finds before any work: shots, repeats, looks, overlays.

Two passes of decoding: cuts and changes first, then, shot by shot, what needs to know where shots
end. Memory is bounded by a few frames and by some numbers per frame and shot.
"""

import io
import itertools
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tsr.core.cache import keep
from tsr.core.clip_io import ClipInfo, ClipReader
from tsr.pipeline.cache import VideoCache, frames_facts
from tsr.pipeline.changes import Changes, Frame, Meter
from tsr.pipeline.overlays import Mask, PixelStatistics, overlay_of
from tsr.pipeline.shot_plan import Look, Looker
from tsr.pipeline.shots import RULES, Shot, find_cuts, shots_from
from tsr.pipeline.told import Told

NAME = "survey.npz"


@dataclass(frozen=True, eq=False)
class Survey:
    """What was found.

    Args:
        shots: in order, together all frames. changes: of all frames. looks: by shot.
        overlays: by shot, packed by `pack`.
    """

    shots: Sequence[Shot]
    changes: Changes
    looks: Sequence[Look]
    overlays: Sequence[bytes]

    def to_bytes(self) -> bytes:
        """A NumPy archive; `from_bytes` gives back an equal survey."""
        file = io.BytesIO()
        np.savez_compressed(
            file,
            starts=np.array([shot.start for shot in self.shots]),
            largest=self.changes.largest,
            noise=self.changes.noise,
            colours=np.stack([look.colours for look in self.looks]),
            motion=np.array([look.motion for look in self.looks]),
            overlays=np.frombuffer(b"".join(self.overlays), np.uint8),
            overlay_sizes=np.array([len(packed) for packed in self.overlays]),
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Survey":
        """The survey that `to_bytes` wrote.

        Raises:
            KeyError, ValueError, EOFError, BadZipFile: it is not one.
        """
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            ends = [*file["starts"].tolist(), len(file["largest"])]
            looks = zip(file["colours"], file["motion"].tolist(), strict=True)
            at = np.cumsum([0, *file["overlay_sizes"]])
            packed = file["overlays"].tobytes()
            return cls(
                [Shot(*pair) for pair in itertools.pairwise(ends)],
                Changes(largest=file["largest"], noise=file["noise"]),
                [Look(colours, motion) for colours, motion in looks],
                [packed[first:last] for first, last in itertools.pairwise(at.tolist())],
            )


def survey(clip: ClipInfo, kept: VideoCache, told: Told, *, cut: bool = True) -> Survey:
    """Look at a video, or take what an earlier run saw.

    Args:
        cut: find the shots; without, the video is one shot.

    Raises:
        ClipError: the video cannot be read. OutputError: the cache cannot be written.
    """
    file = kept.stage("survey", {**frames_facts(clip), "cut": cut, "rules": RULES}) / NAME
    if (found := _read(file)) is None:
        told.stage("look", "for cuts, repeats and overlays")
        found = look(clip, cut=cut, show=told.show)
        keep(file, found.to_bytes())
        told.done(f"{len(found.shots)} shot{'s' * (len(found.shots) != 1)}")
    return found


def look(
    clip: ClipInfo, *, cut: bool = True, show: Callable[[str], None] = lambda _: None
) -> Survey:
    """Look at a video, twice."""
    meter = Meter()
    with ClipReader(clip.path, clip) as reader:
        seen = _passing(reader, meter.add, show, f"of {clip.num_frames}, for cuts and repeats")
        cuts = find_cuts(seen) if cut else _no_cuts(seen)
    shots = shots_from(cuts, clip.num_frames)
    looks, overlays = [], []
    with ClipReader(clip.path, clip) as reader:
        frames = iter(reader)
        for shot in shots:
            looker, pixels = Looker(), PixelStatistics()
            where = f"of {len(shot)} of a shot, for overlays"
            for frame in _passing(itertools.islice(frames, len(shot)), looker.add, show, where):
                pixels.add(frame)
            looks.append(looker.look())
            overlays.append(pack(overlay_of(pixels)))
    return Survey(shots, meter.changes(), looks, overlays)


def _no_cuts(frames: Iterable[Frame]) -> list[int]:
    """Let the frames pass."""
    deque(frames, maxlen=0)
    return []


def _passing(
    frames: Iterable[Frame], see: Callable[[Frame], None], show: Callable[[str], None], where: str
) -> Iterator[Frame]:
    """The frames, each shown to `see` as it passes."""
    for number, frame in enumerate(frames, start=1):
        see(frame)
        show(f"frame {number} {where}")
        yield frame


def pack(mask: Mask | None) -> bytes:
    """A mask in little memory; nothing when there is none."""
    return b"" if mask is None else zlib.compress(np.packbits(mask).tobytes())


def unpack(packed: bytes, height: int, width: int) -> Mask | None:
    """The mask that `pack` packed."""
    if not packed:
        return None
    bits = np.frombuffer(zlib.decompress(packed), np.uint8)
    return np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)


def _read(file: Path) -> Survey | None:
    """A survey that was kept; None if there is none, or it is damaged."""
    try:
        return Survey.from_bytes(file.read_bytes())
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
