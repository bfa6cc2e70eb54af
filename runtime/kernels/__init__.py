"""The CUDA kernels: their sources, how they are called, and how they become a loadable module.

Nothing is compiled for a user twice: the module is kept per source and GPU generation.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tsr.core.cache import cache_folder
from tsr.core.errors import DeviceError
from tsr.core.outputs import completed

FOLDER = Path(__file__).resolve().parent

UNIT = FOLDER / "all.cu"
"""The one compilation unit."""

THREADS, HOPPER_THREADS = 256, 384
"""Threads per block of every kernel, and of those in `HOPPER_SHARED`."""

SIGNATURES = {
    "bend_motion": "PiiiiiiPiP",
    "climb": "PqPqPqPiiiiPPPP",
    "climb_odd": "PqPqPqPiiiiPPPP",
    "convolve_16": "PPPPiiiiiii",
    "convolve_64": "PPPPiiiiiii",
    "convolve_128": "PPPPiiiiiii",
    "convolve_hopper_64": "PPPPiiiiiii",
    "convolve_hopper_128": "PPPPiiiiiii",
    "follow": "PiiPiiPPiii",
    "gather": "PqiiPPiiiPii",
    "grey": "PqPi",
    "grey_half": "PiiP",
    "halve": "PqPqiiPP",
    "load_planes": "PiiiiiiPPqii",
    "move_frames": "PqiiiPiiiiPiPqi",
    "pack_window": "PqiPP",
    "place": "PiiiPqPqPiiiiii",
    "shift": "PqPqPii",
    "spread_motion": "PiiPiiiP",
    "store_planes": "PqiiPiiiiiiPP",
    "unpack_sums": "PPqPiiiiPq",
}
"""Parameters of each kernel in the letters of `struct`: P pointer, q 64-bit, i 32-bit integer."""

SHARED = {"convolve_16": 48384, "convolve_64": 76032, "convolve_128": 95488}
HOPPER_SHARED = {"convolve_hopper_64": 158272, "convolve_hopper_128": 215104}
"""Bytes of shared memory that a kernel is given at launch: more than one gets unasked, and no more
than any GPU with the tensor cores in question has."""

TENSOR_CORES = (8, 0)
"""The first generation on which the kernels in `SHARED` work: Ampere."""

HOPPER = (9, 0)
"""The one generation on which those in `HOPPER_SHARED` work."""

FLAGS = ("-std=c++17", "-O3")

CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (12, 0))
"""GPU generations the kernels are kept compiling for: Turing to Blackwell."""


def threads_of(kernel: str) -> int:
    """Threads per block."""
    return HOPPER_THREADS if kernel in HOPPER_SHARED else THREADS


def shared_bytes(capability: tuple[int, int]) -> dict[str, int]:
    """Bytes of shared memory, by kernel, of those that work on this generation and need to ask."""
    usual = SHARED if capability >= TENSOR_CORES else {}
    return usual | (HOPPER_SHARED if capability == HOPPER else {})


def kernel_module(capability: tuple[int, int]) -> bytes:
    """The module for a GPU of this compute capability: from the cache, else compiled into it.

    Raises:
        DeviceError: it is not there and nvcc is missing or refuses.
    """
    path = cached_module(capability)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with completed(path) as temporary:
            compile_module(temporary, [capability])
    return path.read_bytes()


def cached_module(capability: tuple[int, int]) -> Path:
    """Where the compiled kernels are kept; the name changes with their sources and flags."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for source in sources():
        digest.update(source.read_bytes())
    major, minor = capability
    return cache_folder("kernels") / f"{digest.hexdigest()[:16]}-sm_{major}{minor}.fatbin"


def sources() -> list[Path]:
    """All source files, in a fixed order."""
    return sorted([*FOLDER.glob("*.cu"), *FOLDER.glob("*.cuh")])


def compile_module(
    path: Path, capabilities: Sequence[tuple[int, int]], flags: Sequence[str] = ()
) -> None:
    """Compile all kernels with nvcc into one fat binary.

    Raises:
        DeviceError: nvcc is missing or refuses.
    """
    names = [f"{major}{minor}" for major, minor in capabilities]
    # What Hopper alone has must be asked for by name.
    names = [name + "a" if name == "90" else name for name in names]
    targets = [f"-gencode=arch=compute_{name},code=sm_{name}" for name in names]
    command = [find_nvcc(), *FLAGS, *flags, *targets, "--threads", "0", "-fatbin"]
    done = subprocess.run(
        [*command, "-o", str(path), str(UNIT)], capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        message = (done.stderr or done.stdout).strip().splitlines()
        raise DeviceError(
            f"nvcc could not compile the CUDA kernels ({message[0] if message else 'no message'}); "
            "the GPU may be newer than the CUDA toolkit: update the toolkit, or use --device cpu"
        )


def find_nvcc() -> str:
    """The CUDA compiler: on PATH, under $CUDA_HOME, or where Linux installs it.

    Raises:
        DeviceError: there is none.
    """
    home = Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"))
    found = shutil.which("nvcc") or shutil.which(str(home / "bin" / "nvcc"))
    if not found:
        raise DeviceError(
            "the CUDA kernels are not compiled for this GPU yet, and nvcc is neither on PATH nor "
            "under $CUDA_HOME; install the CUDA toolkit once, or use --device cpu"
        )
    return found
