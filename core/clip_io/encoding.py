"""Which container, encoder and pixel format an output gets, from its name and the input.

The rule: the suffix chooses the container and its usual encoder, `encoder` another encoder, and the
input the pixel format (its bit depth and chroma, as far as the encoder goes). Lossless is asked for
by `encoder="ffv1"` (.mkv, .avi) or by a folder of PNG images (a name without suffix). Raw samples,
in Y4M, are for pipes.
"""

from dataclasses import dataclass, field
from pathlib import Path

from tsr.core.clip_io.colour import UNTAGGED, resolve_colour
from tsr.core.clip_io.formats import LAYOUTS
from tsr.core.clip_io.hdr import HDR_TRANSFERS, STATIC_ENCODERS
from tsr.core.clip_io.info import ClipInfo
from tsr.core.errors import OutputError
from tsr.core.pipes import is_pipe


@dataclass(frozen=True)
class _Encoder:
    codec: str
    """FFmpeg's encoder."""
    chroma: tuple[str, ...]
    """What it stores, of "420", "422", "444" and "rgb"; the first one is the fallback. Grey video
    is stored as 4:2:0 with neutral chroma, which every player shows."""
    depths: tuple[int, ...]
    """Bits per sample it stores, ascending."""
    containers: tuple[str, ...]
    """Suffixes it goes into."""
    quality: int | None = None
    """Default constant quality (CRF); None when it has no such scale."""
    worst_quality: int = 51
    """Largest CRF."""
    options: dict[str, str] = field(default_factory=dict)
    odd_420: bool = False
    """Whether 4:2:0 and 4:2:2 may have odd sides."""


_MOVIES = (".mp4", ".mov", ".mkv")
ENCODERS = {
    "h264": _Encoder(
        "libx264",
        ("420", "422", "444"),
        (8, 10),
        (*_MOVIES, ".avi"),
        quality=16,
        options={"preset": "medium"},
    ),
    "hevc": _Encoder(
        "libx265",
        ("420", "422", "444"),
        (8, 10, 12),
        _MOVIES,
        quality=18,
        options={"preset": "medium"},
    ),
    "av1": _Encoder(
        "libsvtav1",
        ("420",),
        (8, 10),
        (".mp4", ".mkv", ".webm"),
        quality=22,
        worst_quality=63,
        options={"preset": "7"},
        odd_420=True,
    ),
    "vp9": _Encoder(
        "libvpx-vp9",
        ("420", "422", "444"),
        (8,),
        (".mp4", ".mkv", ".webm"),
        quality=20,
        worst_quality=63,
        options={"b": "0", "row-mt": "1", "deadline": "good", "cpu-used": "4"},
        odd_420=True,
    ),
    "raw": _Encoder("rawvideo", ("420", "422", "444"), (8, 10, 12, 16), (".y4m",), odd_420=True),
    "prores": _Encoder("prores_ks", ("422", "444"), (10,), (".mov", ".mkv"), odd_420=True),
    "ffv1": _Encoder("ffv1", ("rgb",), (8, 10, 12, 16), (".mkv", ".avi")),
    "png": _Encoder("png", ("rgb",), (8, 16), ("",)),
}
"""Encoders by the names users give."""

DEFAULT_ENCODERS = {
    ".mp4": "h264",
    ".mov": "h264",
    ".mkv": "h264",
    ".avi": "h264",
    ".webm": "vp9",
    ".y4m": "raw",
    "": "png",
}
"""Encoder of each suffix; the empty suffix is a folder of PNG images."""

WITHOUT_STAMPS = (".avi", ".y4m")
"""Containers without timestamps: frames start at zero and tick at the frame rate."""

LIMITED_ENCODERS = ("prores",)
"""Encoders that have no word for full range: whoever decodes them takes it as limited."""

HDR_ENCODERS = {".mp4": "hevc", ".mov": "hevc", ".mkv": "hevc", ".webm": "av1"}
"""Encoder of each suffix for HDR, which hardly anything plays in the usual ones."""

_WITHOUT_DATA = ("audio", "subtitles", "attachments", "chapters")
HOLDS: dict[str, tuple[str, ...]] = {
    ".mp4": _WITHOUT_DATA,
    ".mov": _WITHOUT_DATA,
    ".mkv": _WITHOUT_DATA,
    ".webm": ("audio", "subtitles", "chapters"),
    ".avi": ("audio",),
    ".y4m": (),
    "": (),
}
"""What each suffix has a place for beside one video stream, by the names of `ClipInfo.beside`."""


UNTAGGED_OUTPUTS = (("ffv1", ".avi"), ("raw", ".y4m"))
"""Encoders and containers that have no place for colour tags together."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How frames are stored."""

    encoder: str
    """One of `ENCODERS`."""
    codec: str
    """FFmpeg's encoder."""
    suffix: str
    """Of the container, one of `DEFAULT_ENCODERS`."""
    pixel_format: str
    """One of `formats.LAYOUTS`; for FFV1, PNG the samples' values (their packing may differ)."""
    quality: int | None = None
    """Constant quality (CRF, lower is better); None for encoders without one."""
    options: dict[str, str] = field(default_factory=dict)
    """Passed to the encoder."""
    notes: tuple[str, ...] = ()
    """What the output cannot keep of the input, one line each."""

    @property
    def is_folder(self) -> bool:
        """Whether the output is a folder of images."""
        return self.encoder == "png"

    @property
    def holds(self) -> tuple[str, ...]:
        """What there is a place for beside the picture."""
        return HOLDS[self.suffix]

    @property
    def place(self) -> str:
        """What notes call the container."""
        return self.suffix or "a folder of images"

    @property
    def lossless(self) -> bool:
        """Whether RGB values come back exactly, at the bit depth."""
        return self.encoder in ("ffv1", "png")


def choose_encoding(
    path: Path, info: ClipInfo, *, encoder: str | None = None, quality: int | None = None
) -> Encoding:
    """Choose how `path` is encoded.

    Args:
        path: the output; its suffix chooses the container, no suffix means a PNG folder. A pipe
            without one gets Y4M, or Matroska if an encoder is named.
        info: the input, whose depth and chroma are kept where the encoder can.
        encoder: a key of `ENCODERS`; the container's usual one when None.
        quality: constant quality (CRF); the encoder's default when None.

    Raises:
        OutputError: unknown suffix or encoder, an encoder that the container does not hold, or
            a quality outside the encoder's scale.
    """
    suffix = path.suffix.lower()
    if not suffix and is_pipe(path):
        suffix = ".mkv" if encoder and encoder != "raw" else ".y4m"
    if suffix not in DEFAULT_ENCODERS:
        known = ", ".join(name for name in DEFAULT_ENCODERS if name)
        raise OutputError(
            f"output {path} has the unknown suffix {suffix}; known are {known}, "
            "and no suffix for a folder of PNG images"
        )
    usual = DEFAULT_ENCODERS[suffix]
    name = encoder or (HDR_ENCODERS.get(suffix, usual) if info.is_hdr else usual)
    if name not in ENCODERS:
        raise OutputError(f"encoder {name} is unknown; known are {', '.join(ENCODERS)}")
    chosen = ENCODERS[name]
    if suffix not in chosen.containers:
        places = ", ".join(place or "a folder name" for place in chosen.containers)
        raise OutputError(f"encoder {name} does not go into {path.name}; use {places}")
    if suffix in WITHOUT_STAMPS and not info.times.is_constant:
        raise OutputError(
            f"output {path}: {suffix} cannot hold the input's variable frame rate; "
            "use .mp4 or .mkv, or name an encoder to have Matroska in a pipe"
        )
    pixel_format, notes = _pixel_format(name, chosen, info)
    if info.colour.full_range and name in LIMITED_ENCODERS:
        notes = (*notes, f"encoder {name} stores limited range; the full range was converted")
    if not suffix and not info.times.is_constant:
        notes += ("images hold no times, so the variable frame rate is lost; use .mp4 or .mkv",)
    return Encoding(
        encoder=name,
        codec=chosen.codec,
        suffix=suffix,
        pixel_format=pixel_format,
        quality=_quality(name, chosen, quality),
        options=dict(chosen.options),
        notes=(*notes, *_lost_geometry(name, suffix, info), *_lost_hdr(name, suffix, info)),
    )


def _lost_geometry(name: str, suffix: str, info: ClipInfo) -> list[str]:
    """Notes on rotation and pixel shape that the container or encoder has no place for."""
    notes = []
    if info.display_matrix is not None and suffix in (".avi", ".y4m", ""):
        notes.append(f"the rotation by {info.rotation} degrees is not kept; use .mp4 or .mkv")
    # Matroska's own field is out of PyAV's reach, so there the encoder has to carry it.
    kept = suffix in (".mp4", ".mov") or name in ("h264", "hevc")
    matrix = resolve_colour(
        matrix=UNTAGGED, range=0, primaries=2, transfer=2, height=info.height, rgb=False, grey=False
    ).matrix
    if suffix == ".y4m" and info.colour.matrix != matrix:
        notes.append(
            f".y4m does not say that its colour matrix is {info.colour.matrix} (ISO/IEC 23091-2)"
        )
    if info.sample_aspect_ratio != 1 and not kept:
        ratio = info.sample_aspect_ratio
        notes.append(f"the pixel shape {ratio.numerator}:{ratio.denominator} is not kept; use .mp4")
    return notes


def _lost_hdr(name: str, suffix: str, info: ClipInfo) -> list[str]:
    """Notes on HDR metadata that the encoder has no place for."""
    notes = []
    if info.hdr.is_static and name not in STATIC_ENCODERS:
        known = ", ".join(STATIC_ENCODERS)
        notes.append(f"encoder {name} does not keep the HDR mastering metadata; {known} do")
    if info.hdr.dynamic:
        notes.append(f"{', '.join(info.hdr.dynamic)} of the single frames are not kept")
    if info.is_hdr and (name, suffix) in UNTAGGED_OUTPUTS:
        curve = HDR_TRANSFERS[info.colour.transfer]
        notes.append(f"{suffix} does not say that the colours are HDR ({curve}); use .mkv or .mp4")
    return notes


def _quality(name: str, chosen: _Encoder, quality: int | None) -> int | None:
    if quality is None:
        return chosen.quality
    if chosen.quality is None:
        raise OutputError(f"encoder {name} has no quality setting; leave the quality out")
    if not 0 <= quality <= chosen.worst_quality:
        raise OutputError(
            f"quality {quality} is outside encoder {name}'s 0 (best) to {chosen.worst_quality}"
        )
    return quality


def _pixel_format(name: str, chosen: _Encoder, info: ClipInfo) -> tuple[str, tuple[str, ...]]:
    """The format nearest to the input's that the encoder stores, and notes on what is lost."""
    notes = []
    depth = next((d for d in chosen.depths if d >= info.bit_depth), chosen.depths[-1])
    if depth < info.bit_depth:
        notes.append(f"encoder {name} stores {depth} bits per sample of the {info.bit_depth}")
    chroma = info.chroma if info.chroma in chosen.chroma else chosen.chroma[0]
    odd = info.width % 2 or (chroma == "420" and info.height % 2)
    if odd and chroma in ("420", "422") and not chosen.odd_420:
        # 4:2:0 H.264 and HEVC need even sides; 4:4:4 keeps every column and row.
        chroma = "444"
        notes.append(
            f"odd size {info.width}×{info.height}: stored as 4:4:4, which few players play"
        )
    if info.chroma == "444" and chroma in ("420", "422"):
        notes.append(
            f"encoder {name} stores colour at a lower resolution (4:{chroma[1:2]}:{chroma[2:]})"
        )
    end = "" if depth == 8 else f"{depth}le"
    stored = ("gbrp" if chroma == "rgb" else f"yuv{chroma}p") + end
    assert stored in LAYOUTS
    return stored, tuple(notes)
