"""Mathematics of temporal super-resolution: NumPy, and PyAV in `clip_io`. No device, no torch."""

import os

# Nothing about a user leaves the machine. Since 1.29 ONNX Runtime sends its makers which models are
# run where, by default; what we import before it, and so this package, is the place to forbid it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
