"""The software that a result depends on."""

PACKAGES = {
    "tsr": "zero-shot-tsr",
    "torch": "torch",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "onnxruntime-gpu": "onnxruntime-gpu",
    "openvino": "openvino",
    "tensorrt": "tensorrt",
    "tensorrt-rtx": "tensorrt-rtx-cu13",
    "pycuda": "pycuda",
    "av": "av",
    "scenedetect": "scenedetect-headless",
    "numpy": "numpy",
}
"""Packages by the names we give them."""


def versions() -> dict[str, str]:
    """Versions of what is installed, without importing it."""
    import importlib.metadata  # here, since it takes longer than all of `--help`
    import platform

    found = {"python": platform.python_version()}
    for name, package in PACKAGES.items():
        try:
            found[name] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
