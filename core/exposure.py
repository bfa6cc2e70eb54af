"""How long the shutter is open, as a fraction of the frame interval; the model is `core.rect`."""

from tsr.core.errors import SettingsError

FULL, DELTA = 1.0, 0.0
"""Open for the whole interval, as the paper assumes, and for an instant."""


def check_exposure(exposure: float) -> None:
    """Raise `SettingsError` unless `exposure` is a fraction of the frame interval."""
    if not DELTA <= exposure <= FULL:
        raise SettingsError(
            f"exposure {exposure}: expected 0 (an instant) to 1 (the whole frame interval)"
        )
