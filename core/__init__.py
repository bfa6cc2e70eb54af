"""The mathematics of temporal super-resolution: NumPy, plus PyAV in `clip_io`. No device, no torch."""
