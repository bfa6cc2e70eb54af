"""The exposure by moving patches: what their motion smears is missing from their spectra.

A patch that moves by d pixels per frame while the shutter is open for a part e of it is smeared
over e·d pixels: its power at the frequency k falls by sinc²(e · k·d). What the patch would show at
rest is not known, but nothing else in a spectrum depends on k·d, the periods travelled per frame.
So the logarithm of the power of many patches is explained as

    power of the patch + what all have at |k| + log(sinc²(e · k·d) + floor)

and the e that leaves least unexplained is the exposure. Motion too fast to be followed, waves of a
liquid, or a video in which little moves give few patches, or an answer that depends on which of
them are asked, because what moves is striped by itself: the error says so.
"""

import numpy as np

from tsr.trainer.exposure.fit import NOTHING, PARTS, STEP, Finding, Floats, best_explanation
from tsr.trainer.exposure.patches import FREQUENCIES, SIDE, Patches

CANDIDATES: Floats = np.arange(-24, 57, dtype=np.float64) * STEP
"""Exposures tried. What lies beyond 0 and 1, below 0 as if motion sharpened, is how chance and
mistaken speeds show, which would otherwise hide at the ends."""
FLOORS = (0.003, 0.01, 0.03, 0.1)
"""Power that is left where the blur takes all: noise, and motion not quite even."""


def exposure_by_patches(patches: Patches) -> Finding:
    """What the blur of moving patches says."""
    count = len(patches.ways)
    if count < PARTS:
        return NOTHING._replace(witnesses=count)
    (y, x), (down, right) = patches.places.T, patches.ways.T
    orders = (np.arange(count), y, x, np.arctan2(down, right))
    return best_explanation(_unexplained(patches), CANDIDATES, orders)


def _unexplained(patches: Patches) -> Floats:
    """(floors, candidates, P): squared deviations of each patch's spectrum from the model."""
    ways = patches.ways
    travelled = ways[:, :1] * FREQUENCIES.y + ways[:, 1:] * FREQUENCIES.x  # (P, K) periods
    # A patch's window smears its spectrum over the neighbouring frequencies.
    smear = np.hypot(*ways.T)[:, None] / SIDE
    seen = _own(patches.spectra)
    left = np.empty((len(FLOORS), len(CANDIDATES), len(ways)))
    for n, exposure in enumerate(CANDIDATES):
        blur = (
            4 * np.sinc(exposure * travelled) ** 2
            + np.sinc(exposure * (travelled + smear)) ** 2
            + np.sinc(exposure * (travelled - smear)) ** 2
        ) / 6
        for m, floor in enumerate(FLOORS):
            change = np.copysign(1, exposure) * np.log(blur + floor)
            left[m, n] = ((seen - _own(change)) ** 2).sum(axis=1)
    return left


def _own(table: Floats) -> Floats:
    """(P, K) less the mean of each patch and of each ring of frequencies over all patches."""
    rings = np.bincount(FREQUENCIES.ring, table.sum(axis=0)) / np.bincount(FREQUENCIES.ring)
    means: Floats = table.mean(axis=1, keepdims=True) - table.mean()
    return table - means - rings[FREQUENCIES.ring] / len(table)
