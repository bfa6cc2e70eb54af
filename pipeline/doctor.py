"""What this machine can use: processor, GPU, libraries, encoders; and what to install for more."""

import contextlib
import importlib.util
import os
import platform
from pathlib import Path
from typing import Any

from tsr.core.cores import usable_cores
from tsr.core.cpu import cpu_flags
from tsr.core.errors import TsrError
from tsr.core.versions import versions
from tsr.pipeline import machine
from tsr.pipeline.cache import Cache, num_bytes
from tsr.pipeline.one_shot import NEEDED

FEATURES = {
    "amx_int8": "8-bit matrix units",
    "amx_bf16": "bf16 matrix units",
    "avx512_vnni": "8-bit dot products",
    "avx_vnni": "8-bit dot products",
    "avx512_bf16": "bf16 dot products",
    "avx512f": "512-bit vectors",
    "avx2": "256-bit vectors",
    "asimddp": "8-bit dot products",
    "bf16": "bf16 dot products",
}
"""Linux' names for what makes networks fast on a processor."""

NVIDIA = Path("/proc/driver/nvidia/version")
"""There, where the NVIDIA driver is loaded."""

PROJECT = "zero-shot-tsr"


def examine() -> dict[str, Any]:
    """All findings as plain values; `advice` is what would help, one line each."""
    found: dict[str, Any] = {
        "versions": versions(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": usable_cores(),
        "memory_gb": _memory_gb(),
        "cpu_features": [name for name in FEATURES if name in cpu_flags()],
        "gpu": _gpu(),
        "onnxruntime_providers": _providers(),
        "openvino": importlib.util.find_spec("openvino") is not None,
        "tensorrt": _engines(),
        "encoders": _encoders(),
        "can_make": not _missing(),
        "runs_on": _target(),
        "cache": {"folder": str(Cache().root), "bytes": num_bytes(Cache().root)},
    }
    return {**found, "advice": _advice(found)}


def said(found: dict[str, Any]) -> str:
    """The findings for people."""
    names = found["versions"]
    gpu, cache = found["gpu"], found["cache"]
    engines = "; ".join(
        f"{name}: {reason or 'ready'}" for name, reason in found["tensorrt"].items()
    )
    rows = {
        "tsr": f"{names['tsr']}, Python {names['python']}, {found['system']}",
        "processor": f"{found['cores']} cores, {found['memory_gb']} GB, "
        + (", ".join(found["cpu_features"]) or "no fast instructions known"),
        "GPU": gpu["name"] or f"none: {gpu['missing']}",
        "learning": f"torch {names['torch']}" if "torch" in names else "torch is not installed",
        "ONNX Runtime": ", ".join(found["onnxruntime_providers"]),
        "OpenVINO": names.get("openvino", "not installed"),
        "engines": engines,
        "encoders": ", ".join(found["encoders"]),
        "tsr runs on": found["runs_on"],
        "cache": f"{cache['folder']} ({cache['bytes'] / 1e6:.1f} MB); see tsr cache",
    }
    lines = [f"{name:13} {text}" for name, text in rows.items()]
    if found["advice"]:
        lines += ["", "for more:", *(f"  {line}" for line in found["advice"])]
    return "\n".join(lines)


def _advice(found: dict[str, Any]) -> list[str]:
    lines = []
    if missing := _missing():
        lines.append(f"to learn and export ({', '.join(missing)}): pip install '{PROJECT}[all]'")
    on_gpu = found["gpu"]["name"] or NVIDIA.exists()
    if on_gpu and importlib.util.find_spec("pycuda") is None and not found["gpu"]["name"]:
        lines.append(f"to run on the GPU: pip install '{PROJECT}[gpu]'")
    elif on_gpu and machine.best_target() == "cpu":  # older than our own convolutions
        lines.append(
            f"to run on the GPU: pip install '{PROJECT}[onnx-gpu]', then pip uninstall -y "
            "onnxruntime, then pip install --force-reinstall --no-deps onnxruntime-gpu"
        )
    if on_gpu and all(found["tensorrt"].values()):
        lines.append(
            f"for engines: pip install '{PROJECT}[tensorrt]' (data centre), or '{PROJECT}[rtx]' "
            "(GeForce, RTX)"
        )
    if not on_gpu and not found["openvino"]:
        lines.append(f"up to three times as fast on a CPU: pip install '{PROJECT}[openvino]'")
    return lines


def _missing() -> list[str]:
    return [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]


def _target() -> str:
    target = machine.best_target()
    if target == "tensor-cores":
        return "the GPU, by our own convolutions in FP16"
    if target == "tensorrt":
        return "the GPU, by a TensorRT engine in FP16"
    if target == "cuda":
        return "the GPU, by ONNX Runtime in FP16"
    openvino = importlib.util.find_spec("openvino") is not None
    return f"the CPU, by {'OpenVINO' if openvino else 'ONNX Runtime'} in INT8"


def _memory_gb() -> float | None:
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    return None


def _gpu() -> dict[str, str | None]:
    from tsr.runtime import device

    reason = device.missing()
    if reason is None:
        try:
            return {"name": device.CudaDevice().name, "missing": None}
        except TsrError as error:
            reason = str(error)
    return {"name": None, "missing": reason}


def _providers() -> list[str]:
    if importlib.util.find_spec("onnxruntime") is None:
        return []
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _engines() -> dict[str, str | None]:
    """Why each library can build or run no engine here; None if it can."""
    from tsr.runtime import device, tensorrt_library

    found = {}
    for name in ("tensorrt", "tensorrt_lean", "tensorrt_rtx"):
        reason = tensorrt_library.missing(name)
        if reason is None and device.missing():
            reason = "installed, but there is no GPU to run engines on"
        found[name] = reason
    return found


def _encoders() -> list[str]:
    from av.codec import Codec

    from tsr.core.clip_io import ENCODERS

    found = []
    for name, encoder in ENCODERS.items():
        with contextlib.suppress(ValueError):  # PyAV's error for a codec that is not built in
            Codec(encoder.codec, "w")
            found.append(name)
    return found
