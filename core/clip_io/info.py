"""What a clip is, found without decoding more than its first frame."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypedDict

from av import VideoFrame
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.stream import VideoStream

from tsr.core.clip_io.attachments import attached_files, covers
from tsr.core.clip_io.colour import FULL_RANGE, Colour, resolve_colour
from tsr.core.clip_io.counting import count_frames
from tsr.core.clip_io.deinterlace import is_interlaced
from tsr.core.clip_io.folder import FolderListing, list_folder
from tsr.core.clip_io.formats import is_transparent, layout_of
from tsr.core.clip_io.hdr import HDR_TRANSFERS, HdrMetadata, read_hdr
from tsr.core.clip_io.images import decode_image
from tsr.core.clip_io.opening import AV_ERRORS, open_clip, reason
from tsr.core.clip_io.times import FrameTimes, exact
from tsr.core.errors import ClipError, SettingsError
from tsr.core.tiling import Span

MAX_PIXELS = 2**27
"""Largest frame that is opened, four times 8K: a header beyond it is taken as damaged."""
DEFAULT_FOLDER_FPS = Fraction(30)
"""Frames per second of an image folder when none is given."""
SHARED_CLOCK_FORMATS = ("mpegts", "mpeg")
"""Containers whose clock starts anywhere; their times are counted from the file's own start."""


@dataclass(frozen=True, kw_only=True)
class ClipInfo:
    """A clip's size, exact frame times, colour and what else its output has to keep."""

    path: Path
    """The file or folder."""
    width: int
    """Columns of the stored frame, before `display_matrix` turns it."""
    height: int
    """Rows of the stored frame."""
    times: FrameTimes
    """Exact presentation times, one per frame."""
    colour: Colour
    """Matrix, range, primaries and transfer: as tagged, and as used."""
    pixel_format: str
    """FFmpeg's name of the stored pixel format."""
    bit_depth: int
    """Bits per sample."""
    chroma: str
    """"420", "422", "444", "rgb" or "grey"."""
    hdr: HdrMetadata = field(default_factory=HdrMetadata)
    """What HDR video says of its mastering display and brightness."""
    display_matrix: tuple[int, ...] | None = None
    """FFmpeg's nine numbers that turn or flip the frame for display, copied to the output."""
    rotation: int = 0
    """Degrees counter-clockwise by which players turn the frame."""
    sample_aspect_ratio: Fraction = Fraction(1)
    """Width of one pixel over its height."""
    beside: tuple[str, ...] = ()
    """What else the file holds: "audio", "subtitles", "attachments", "chapters", "data" (timecode,
    sensors) and "further videos"."""
    interlaced: bool = False
    """Whether it is flagged so."""
    deinterlace: bool = True
    """Whether `ClipReader` deinterlaces frames that are flagged so, one for one."""
    time_origin: Fraction = Fraction(0)
    """Seconds on the file's own clock that count as zero in `times`."""
    notes: tuple[str, ...] = ()
    """What was assumed and the user should know, one line each."""
    frames: Span | None = None
    """Which of the file's frames these are, [first, last); None for all of them."""

    @property
    def num_frames(self) -> int:
        """Frames in the file, counted, not taken from its header."""
        return self.times.num_frames

    @property
    def fps(self) -> Fraction:
        """Exact frames per second; the mean rate when it varies."""
        return self.times.fps

    def part(self, first: int, last: int) -> "ClipInfo":
        """Frames [first, last) of these as a clip of its own, which readers keep to."""
        at = self.frames[0] if self.frames else 0
        return replace(self, times=self.times.part(first, last), frames=(at + first, at + last))

    @property
    def is_hdr(self) -> bool:
        """Whether its transfer curve is one of high dynamic range."""
        return self.colour.transfer in HDR_TRANSFERS

    @property
    def has_audio(self) -> bool:
        """Whether the file has at least one audio stream."""
        return "audio" in self.beside

    @property
    def grey(self) -> bool:
        """Whether the file stores luma only."""
        return self.chroma == "grey"


def clip_info(clip: "Path | ClipInfo") -> ClipInfo:
    """What a clip is that is given by its path, or by its info: then also a part of a file."""
    return clip if isinstance(clip, ClipInfo) else probe(clip)


def probe(path: Path, *, fps: Fraction | None = None, deinterlace: bool = True) -> ClipInfo:
    """Describe a video file or a folder of PNG images.

    A video is demuxed once (no decoding beyond the first frame), so that frames are counted and
    their timestamps are the ones in the file.

    Args:
        fps: rate of an image folder; `DEFAULT_FOLDER_FPS` when None. Refused for a video.
        deinterlace: what is flagged as interlaced; else its frames are taken as they are.

    Raises:
        ClipError: missing, foreign, damaged, truncated, transparent, empty or oversized input.
        SettingsError: `fps` given for a video.
    """
    path = Path(path)
    if path.is_dir():
        return _probe_folder(list_folder(path), fps)
    if fps is not None:
        raise SettingsError(f"{path} is a video with its own rate; fps is for image folders only")
    with open_clip(path) as (container, stream):
        frame = _first_frame(container, stream, path, deinterlace)
        rates = [exact(rate) for rate in (stream.base_rate, stream.average_rate) if rate]
        ratio = stream.sample_aspect_ratio
        interlaced = is_interlaced(frame, stream)
        treated = deinterlaced("the video is") if deinterlace else LEFT_INTERLACED
        side_data = _side_data(frame)
    # Decoding has consumed packets; count them from a fresh start instead of seeking.
    with open_clip(path) as (container, stream):
        origin = _time_origin(container)
        times, notes = count_frames(container, stream, path, rates, origin, frame.pts)
        return ClipInfo(
            path=path,
            times=FrameTimes(tuple(start - origin for start in times.starts), times.end - origin),
            sample_aspect_ratio=exact(ratio) if ratio else Fraction(1),
            display_matrix=_display_matrix(side_data),
            hdr=read_hdr(side_data),
            rotation=frame.rotation,
            beside=_beside(container),
            interlaced=interlaced,
            deinterlace=deinterlace,
            notes=(*notes, treated) if interlaced else notes,
            time_origin=origin,
            **_picture(frame),
        )


def _probe_folder(listing: FolderListing, fps: Fraction | None) -> ClipInfo:
    frame = decode_image(listing.files[0])
    if is_transparent(frame):
        raise ClipError(transparent(listing.path, f"image {listing.files[0].name}"))
    notes: tuple[str, ...] = ()
    if fps is None:
        fps = DEFAULT_FOLDER_FPS
        notes = (f"{listing.path} has no rate of its own; taken as {fps} frames per second",)
    times = FrameTimes.constant(fps, len(listing.files))
    return ClipInfo(path=listing.path, times=times, notes=notes, **_picture(frame))


def _first_frame(
    container: InputContainer, stream: VideoStream, path: Path, deinterlace: bool
) -> VideoFrame:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise ClipError(f"{path} claims frames of {width}×{height}; its header is damaged")
    try:
        frame = next(container.decode(stream), None)
    except AV_ERRORS as error:
        raise ClipError(
            f"{path}: not even the first frame can be decoded ({reason(error)}); the file is "
            "damaged, or its codec is not supported; if it plays, rewrite it: "
            f"ffmpeg -i {path.name} -crf 12 rewritten.mp4"
        ) from error
    if frame is None:
        raise ClipError(f"{path} holds no frames; expected at least one")
    # WebM stores transparency beside the colours, and decoders leave it out.
    apart = any(
        key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items()
    )
    if apart or is_transparent(frame):
        raise ClipError(transparent(path, "the video"))
    if deinterlace and is_interlaced(frame, stream) and stream.codec_context.name == "hevc":
        raise ClipError(separate_fields(path))
    return frame


def transparent(path: Path, what: str) -> str:
    """The message that refuses transparency."""
    return (
        f"{path}: {what} is transparent in places, which the output would lose; put it over black: "
        f"ffmpeg -i {path.name} -vf format=gbrap,premultiply=inplace=1 -crf 12 flat.mp4"
    )


def separate_fields(path: Path) -> str:
    """The message that refuses interlaced video whose fields are stored as pictures."""
    return (
        f"{path} is interlaced and its fields are stored singly; join and deinterlace them first, "
        f"for instance: ffmpeg -i {path.name} -vf bwdif -crf 12 progressive.mp4"
    )


def deinterlaced(which: str) -> str:
    """The note on deinterlaced frames."""
    return (
        f"{which} flagged as interlaced and deinterlaced (bwdif, one frame for one); if the flag "
        "is wrong, this costs some vertical sharpness, and --deinterlace off keeps it"
    )


LEFT_INTERLACED = (
    "the video is flagged as interlaced and taken as it is; if the flag is right, the lines of "
    "each frame belong to two moments, and moving edges are combed"
)
"""The note on frames that stay interlaced."""


def _beside(container: InputContainer) -> tuple[str, ...]:
    """What a file holds beside the picture."""
    streams, chapters = container.streams, container.chapters()
    # MP4 keeps the titles of its chapters in a track of text, which FFmpeg shows as data.
    data = [s for s in streams.data if not (chapters and s.name == "bin_data")]
    pictures = covers(container)
    found = {
        "audio": streams.audio,
        "subtitles": streams.subtitles,
        "attachments": [*attached_files(container), *pictures],
        "chapters": chapters,
        "data": data,
        "further videos": streams.video[1 + len(pictures) :],
    }
    return tuple(kind for kind, those in found.items() if those)


def _time_origin(container: InputContainer) -> Fraction:
    if container.format.name not in SHARED_CLOCK_FORMATS or container.start_time is None:
        return Fraction(0)
    return Fraction(container.start_time, 1_000_000)


class _Picture(TypedDict):
    width: int
    height: int
    colour: Colour
    pixel_format: str
    bit_depth: int
    chroma: str


def _picture(frame: VideoFrame) -> _Picture:
    """What a decoded frame itself says."""
    layout = layout_of(frame.format)
    colour = resolve_colour(
        matrix=int(frame.colorspace),
        range=FULL_RANGE if frame.format.name.startswith("yuvj") else int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        height=frame.height,
        rgb=layout.kind == "rgb",
        grey=layout.kind == "grey",
    )
    return _Picture(
        width=frame.width,
        height=frame.height,
        colour=colour,
        pixel_format=frame.format.name,
        bit_depth=layout.depth,
        chroma=layout.chroma,
    )


def _display_matrix(side_data: Mapping[SideDataType, bytes]) -> tuple[int, ...] | None:
    data = side_data.get(SideDataType.DISPLAYMATRIX, b"")
    return struct.unpack("=9i", data) if len(data) == struct.calcsize("=9i") else None


def _side_data(frame: VideoFrame) -> dict[SideDataType, bytes]:
    """What is attached to a frame, as far as PyAV knows the kinds."""
    try:
        container: Any = frame.side_data
    except ValueError:  # a kind younger than PyAV, such as the views of stereoscopic video
        return {}
    # By kind, since what iterating gives, and what length counts, is another in PyAV 18 than in 19.
    return {kind: bytes(container[kind]) for kind in SideDataType if kind in container}
