"""What the numbers in a frame mean: matrix and range, as tagged and as used when untagged."""

from dataclasses import dataclass

from tsr.core.errors import ClipError

RGB_MATRIX = 0
BT709 = 1
UNTAGGED = 2
BT601 = 6

LIMITED_RANGE = 1
FULL_RANGE = 2

LUMA_WEIGHTS = {
    BT709: (0.2126, 0.0722),
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.470BG, the same numbers as BT.601
    BT601: (0.299, 0.114),
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
    10: (0.2627, 0.0593),  # BT.2020 constant luminance, read as the usual kind
}
"""Matrix code (ISO/IEC 23091-2, as FFmpeg writes it) to the weights (k_red, k_blue) of luma."""

HD_HEIGHT = 720
"""Untagged frames of at least this height are taken as BT.709, lower ones as BT.601."""


@dataclass(frozen=True, kw_only=True)
class Colour:
    """Colour tags of a clip (ISO/IEC 23091-2 codes) and the matrix and range that are used."""

    tagged_matrix: int = UNTAGGED
    """Matrix code in the file; 2 when untagged."""
    tagged_range: int = 0
    """0 untagged, 1 limited (16-235), 2 full (0-255)."""
    primaries: int = 2
    """Primaries code in the file, copied to the output; 2 when untagged."""
    transfer: int = 2
    """Transfer code in the file, copied to the output; 2 when untagged."""
    matrix: int = BT709
    """Matrix code that conversions use and that the output is tagged with."""
    full_range: bool = False
    """Whether conversions use the full range; the output is tagged the same way."""

    @property
    def luma_weights(self) -> tuple[float, float]:
        """(k_red, k_blue) of the matrix in use."""
        return LUMA_WEIGHTS[self.matrix]

    @property
    def range(self) -> int:
        """Range code of `full_range`, as tags are written."""
        return FULL_RANGE if self.full_range else LIMITED_RANGE


def resolve_colour(
    *, matrix: int, range: int, primaries: int, transfer: int, height: int, rgb: bool, grey: bool
) -> Colour:
    """Decide which matrix and range a clip's frames are read with.

    A tag is honoured. Untagged YUV is BT.709 from `HD_HEIGHT` up and BT.601 below, limited range;
    untagged grey is full range, as FFmpeg itself makes it. RGB frames need no matrix; BT.709 is
    kept for an output that stores them as YUV.

    Raises:
        ClipError: the matrix is one that this package cannot convert (YCgCo, ICtCp, …).
    """
    known = matrix if matrix in LUMA_WEIGHTS else None
    if rgb:
        used, full_range = known or BT709, False
    elif matrix in (RGB_MATRIX, UNTAGGED, 3):
        used = BT709 if height >= HD_HEIGHT else BT601
        full_range = range == FULL_RANGE or (grey and range == 0)
    elif known is None:
        raise ClipError(
            f"colour matrix {matrix} (ISO/IEC 23091-2) is not supported; convert the clip first, "
            "for instance: ffmpeg -i IN -vf scale=out_color_matrix=bt709 -colorspace bt709 OUT"
        )
    else:
        used = known
        full_range = range == FULL_RANGE or (grey and range == 0)
    return Colour(
        tagged_matrix=matrix,
        tagged_range=range,
        primaries=primaries,
        transfer=transfer,
        matrix=used,
        full_range=full_range,
    )
