"""Mathematics of temporal super-resolution: NumPy, and PyAV in `clip_io`. No device, no torch."""
