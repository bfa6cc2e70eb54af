"""What HDR video says about the display that it was mastered on, read and handed to encoders.

Transfer and primaries are `colour.Colour`'s; this is the static metadata of HDR10 (SMPTE ST 2086
and CTA-861.3), which FFmpeg attaches to frames and which encoders take as text.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from av.sidedata.sidedata import Type

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
"""Transfer codes (ISO/IEC 23091-2) of high dynamic range."""

DYNAMIC = {
    Type.DOVI_RPU_BUFFER: "Dolby Vision",
    Type.DOVI_METADATA: "Dolby Vision",
    Type.DYNAMIC_HDR_PLUS: "HDR10+",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid",
    Type.A53_CC: "closed captions",
}
"""Data of single frames, which mean nothing for the frames between them."""

Point = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class MasteringDisplay:
    """SMPTE ST 2086: chromaticities (x, y) in [0, 1] and luminances in cd/m²."""

    red: Point
    green: Point
    blue: Point
    white: Point
    min_luminance: Fraction
    max_luminance: Fraction


@dataclass(frozen=True)
class HdrMetadata:
    """The static metadata of a clip, and the names of what changes from frame to frame."""

    mastering: MasteringDisplay | None = None
    light_level: tuple[int, int] | None = None
    """Brightest pixel and brightest frame average in cd/m² (MaxCLL, MaxFALL)."""
    dynamic: tuple[str, ...] = ()
    """Names from `DYNAMIC` of what cannot be kept."""

    @property
    def is_static(self) -> bool:
        """Whether there is static metadata to be kept."""
        return self.mastering is not None or self.light_level is not None


def read_hdr(side_data: Mapping[Type, bytes]) -> HdrMetadata:
    """The metadata in a frame's side data; what is damaged counts as absent."""
    return HdrMetadata(
        _mastering(side_data.get(Type.MASTERING_DISPLAY_METADATA, b"")),
        _light_level(side_data.get(Type.CONTENT_LIGHT_LEVEL, b"")),
        tuple(dict.fromkeys(name for kind, name in DYNAMIC.items() if kind in side_data)),
    )


def _mastering(data: bytes) -> MasteringDisplay | None:
    # AVMasteringDisplayMetadata: ten fractions, then whether colours and luminances are known.
    if len(data) < struct.calcsize("=22i"):
        return None
    *numbers, has_primaries, has_luminance = struct.unpack_from("=22i", data)
    if not (has_primaries and has_luminance and all(numbers[1::2])):
        return None
    values = [Fraction(numbers[n], numbers[n + 1]) for n in range(0, 20, 2)]
    if not (all(0 <= value <= 1 for value in values[:8]) and 0 <= values[8] < values[9] <= 10_000):
        return None
    red, green, blue, white = ((values[n], values[n + 1]) for n in range(0, 8, 2))
    return MasteringDisplay(red, green, blue, white, values[8], values[9])


def _light_level(data: bytes) -> tuple[int, int] | None:
    # AVContentLightMetadata: two unsigned numbers, 16 bits of which are stored.
    if len(data) < struct.calcsize("=2I"):
        return None
    brightest, average = struct.unpack_from("=2I", data)
    return (brightest, average) if 0 < brightest < 2**16 and average < 2**16 else None


def encoder_parameters(hdr: HdrMetadata, encoder: str) -> dict[str, str]:
    """Parameters that make an encoder of `STATIC_ENCODERS` store the static metadata."""
    display_name, light_name = STATIC_ENCODERS[encoder]
    parameters = {}
    if hdr.mastering is not None:
        # x264 and x265 count in the steps that are stored, SVT-AV1 in units.
        steps = (1, 1) if encoder == "av1" else (50_000, 10_000)
        parameters[display_name] = _display(hdr.mastering, *steps)
    if hdr.light_level is not None:
        parameters[light_name] = "{},{}".format(*hdr.light_level)
    return parameters


STATIC_ENCODERS = {
    "h264": ("mastering-display", "cll"),
    "hevc": ("master-display", "max-cll"),
    "av1": ("mastering-display", "content-light"),
}
"""Encoders that store static metadata, by their names for the display and the light level."""


def _display(display: MasteringDisplay, colour_steps: int, light_steps: int) -> str:
    def number(value: Fraction, steps: int) -> str:
        return str(round(value * steps)) if steps > 1 else f"{float(value):.6g}"

    def point(name: str, position: Point) -> str:
        return f"{name}({','.join(number(value, colour_steps) for value in position)})"

    points = (("G", display.green), ("B", display.blue), ("R", display.red), ("WP", display.white))
    light = ",".join(
        number(value, light_steps) for value in (display.max_luminance, display.min_luminance)
    )
    return "".join(point(name, position) for name, position in points) + f"L({light})"
