"""`--exposure auto`: how long the shutter was open, from the blur of what moves evenly.

`meter` tells the story. Two things are looked at: patches that move (`patches`, `patch_blur`), in
which a texture is smeared, and edges that move (`edges`, `edge_blur`), which become ramps.
"""

from tsr.trainer.exposure.estimate import ExposureEstimate
from tsr.trainer.exposure.meter import ExposureMeter

__all__ = ["ExposureEstimate", "ExposureMeter"]
