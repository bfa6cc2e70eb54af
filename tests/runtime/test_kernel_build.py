"""Compiling the kernels: for every GPU generation, once, and with words when it cannot be done."""

import subprocess
from pathlib import Path

import needs
import pytest

from tsr.core.errors import DeviceError
from tsr.runtime import kernels


def nvcc() -> str:
    try:
        return kernels.find_nvcc()
    except DeviceError:
        needs.without("no nvcc")


def supported() -> list[tuple[int, int]]:
    done = subprocess.run([nvcc(), "--list-gpu-code"], capture_output=True, encoding="utf-8")
    return [c for c in kernels.CAPABILITIES if f"sm_{c[0]}{c[1]}" in done.stdout.split()]


def test_every_kernel_compiles_for_every_generation(tmp_path: Path) -> None:
    """No warning, no spilled register, from Turing to Blackwell."""
    capabilities = supported()
    assert len(capabilities) >= 5  # nvcc 13 knows all six; the oldest or newest may be missing
    module = tmp_path / "all.fatbin"
    strict = ["-Werror=all-warnings", "-Xptxas=-Werror,-warn-spills"]
    kernels.compile_module(module, capabilities, strict)
    assert module.read_bytes()[:4] == b"\x50\xed\x55\xba"  # the magic number of fat binaries


def test_a_module_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time it is read from the cache; the name depends on the sources."""
    made: list[Path] = []

    def compile_module(path: Path, capabilities: list[tuple[int, int]]) -> None:
        made.append(path)
        path.write_bytes(b"module")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kernels, "compile_module", compile_module)
    assert kernels.kernel_module((9, 0)) == kernels.kernel_module((9, 0)) == b"module"
    assert len(made) == 1
    before = kernels.cached_module((9, 0))
    monkeypatch.setattr(kernels, "FLAGS", ("-O1",))
    assert kernels.cached_module((9, 0)) != before
    assert kernels.cached_module((8, 0)) != kernels.cached_module((9, 0))


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler, or one that refuses: one line with the remedy."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    with pytest.raises(DeviceError, match="install the CUDA toolkit"):
        kernels.find_nvcc()
    fake = tmp_path / "nvcc"
    fake.write_text("#!/bin/sh\necho 'nvcc fatal : Unsupported gpu architecture' >&2\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(DeviceError, match=r"Unsupported gpu architecture.*update the toolkit"):
        kernels.compile_module(tmp_path / "all.fatbin", [(12, 1)])
