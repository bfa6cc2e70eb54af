"""How far two files of one model may differ: rounding, by the number formats they compute in."""

from dataclasses import dataclass, replace

from tsr.core.errors import SettingsError


@dataclass(frozen=True)
class Tolerance:
    """What still counts as the same.

    Args:
        worst: largest difference of a single value; values lie in [0, 1].
        min_psnr: PSNR in dB, data range 1, of the window that agrees least.
    """

    worst: float
    min_psnr: float


TOLERANCES = {
    # Values are about 1, and sums have some 1000 terms.
    "fp32": Tolerance(2e-5, 90.0),
    # The last place of values near 1 is 1e-3: half of what 8 bits tell apart.
    "fp16": Tolerance(5e-3, 60.0),
    # What tsr-export --int8 made of a model of 64 channels is at most 0.006 off, from 62.9 dB on.
    # With the ranges of a made-up video it was 0.025 and 57 dB.
    "int8": Tolerance(5e-2, 50.0),
}
"""By the `precision` of a model card."""


def tolerance_for(
    precisions: set[str], worst: float | None = None, min_psnr: float | None = None
) -> Tolerance:
    """The tolerance of the coarsest of these precisions, with the user's own figures before it.

    Raises:
        SettingsError: a precision has no default, and the user gave none.
    """
    unknown = precisions - set(TOLERANCES)
    if unknown and (worst is None or min_psnr is None):
        raise SettingsError(
            f"no tolerance is known for the precision {', '.join(sorted(unknown))}; "
            "pass --tolerance and --min-psnr"
        )
    known = [TOLERANCES[name] for name in precisions - unknown] or [TOLERANCES["fp32"]]
    chosen = max(known, key=lambda tolerance: tolerance.worst)
    if worst is not None:
        chosen = replace(chosen, worst=worst)
    return chosen if min_psnr is None else replace(chosen, min_psnr=min_psnr)
