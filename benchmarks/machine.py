"""What a figure was measured on: every benchmark writes this beside its results."""

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tsr.core.cores import usable_cores

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("numpy", "numba", "onnxruntime", "av", "torch")
GPU_LIBRARIES = (
    *("numpy", "numba", "torch", "onnxruntime-gpu", "pycuda"),
    *("tensorrt", "tensorrt-lean", "tensorrt-rtx-cu13"),
)
"""What a figure of a GPU depends on."""


def machine(libraries: Iterable[str] = LIBRARIES) -> dict[str, Any]:
    """CPU, cores, load, versions of Python and of those `libraries` installed, commit, date."""
    return {
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "load": load(),
        "python": platform.python_version(),
        "versions": {name: version for name in libraries if (version := _version(name))},
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def cpu_model() -> str:
    """The processor's name and the vector extensions that matter to us."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    flags = facts.get("flags", "").split()
    known = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if f in flags]
    return " ".join([facts.get("model name", platform.machine()), *known])


def gpu_driver() -> str | None:
    """The version of NVIDIA's driver, as `nvidia-smi` tells it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.splitlines()[0].strip()


def load() -> float | None:
    """Runnable processes over the last minute, ours included: above `cores`, times are inflated."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def commit() -> str:
    """The commit of the working tree, marked '+' when files differ from it."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    )
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
