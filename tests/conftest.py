"""What all tests share: reproducible examples, and one tiny model exported once per session."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Before torch is imported, and inherited by the commands that tests start: on a busy machine two
# OpenMP threads that wait for each other take 50 times as long as one.
os.environ["OMP_NUM_THREADS"] = "1"

# For tests that import ONNX Runtime before anything of ours; commands do without (test_privacy.py).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# The machine may be busy, so no test is timed; the same examples on every run, so none is flaky.
settings.register_profile("tsr", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("tsr")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .safetensors model of 8 channels with random weights, for ×8 from S×1/8."""
    import models

    return models.write_model(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="session")
def tiny_onnx(tiny_model: Path) -> Path:
    """The tiny model as `tsr-export` writes it."""
    from tsr.export.to_onnx import to_onnx

    path = tiny_model.with_suffix(".onnx")
    to_onnx(tiny_model, path)
    return path


@pytest.fixture(scope="session")
def host_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kernels as a host library; a read or write outside a volume stops the tests."""
    from tsr.runtime.kernels import UNIT

    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    library = tmp_path_factory.mktemp("kernels") / "kernels.so"
    flags = ["-x", "c++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    # A host would take a vector from anywhere; a GPU refuses one that is not aligned.
    aligned = ["-fsanitize=alignment", "-fsanitize-undefined-trap-on-error"]
    subprocess.run([compiler, *flags, *aligned, "-o", str(library), str(UNIT)], check=True)
    return library


@pytest.fixture(scope="session")
def cuda_device() -> Any:
    """The first GPU; without one the test is skipped, or fails if TSR_REQUIRE_CUDA=1."""
    import needs

    from tsr.runtime import device

    if reason := device.missing():
        needs.without(reason)
    return device.CudaDevice()
