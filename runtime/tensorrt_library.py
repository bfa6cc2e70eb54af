"""Which of NVIDIA's libraries is there, which one can run a plan, and what it had to say.

`tensorrt` builds and runs; `tensorrt_lean`, a tenth of its size, runs version-compatible plans
only; `tensorrt_rtx` builds and runs plans of its own kind, on consumer and workstation GPUs. Their
Python modules have the same classes as far as we use them.
"""

import functools
import importlib
import importlib.util
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsr.core.errors import DeviceError
from tsr.core.plan_file import EngineCard
from tsr.runtime.device import CudaDevice

RUNTIMES = ("tensorrt", "tensorrt_lean", "tensorrt_rtx")
"""In the order in which they are tried for a plan."""

PACKAGES = {
    "tensorrt": "tensorrt",
    "tensorrt_lean": "tensorrt_lean",
    "tensorrt_rtx": "tensorrt-rtx-cu13",
}
"""What to `pip install` for each module."""

OLDEST = {"tensorrt": "10.12", "tensorrt_lean": "10.12", "tensorrt_rtx": "1.3"}
"""Versions below lack strong typing, or a call that we make."""

OUT_OF_MEMORY = ("out of memory", "OutOfMemory", "cudaErrorMemoryAllocation", "(cudaError 2:")
"""How these libraries word it when the device has no memory left."""

KEPT_MESSAGES = 20

ANYWHERE = "build it again here with tsr-export, or run the .onnx instead, which runs anywhere"


def missing(name: str) -> str | None:
    """Why a library cannot be used, with the command that mends it; None if it can."""
    if not _installed(name):
        return f"{name} is not installed: pip install {PACKAGES[name]}"
    try:
        version = importlib.import_module(name).__version__
    except (ImportError, OSError, RuntimeError) as error:  # a shared library of the wheel is absent
        reason = " ".join(str(error).split())[:200]
        return f"{name} cannot be loaded ({reason}): pip install --force-reinstall {PACKAGES[name]}"
    if _numbers(version) < _numbers(OLDEST[name]):
        return (
            f"{name} {version} is too old, {OLDEST[name]} or newer is needed: "
            f"pip install --upgrade {PACKAGES[name]}"
        )
    return None


def load(name: str) -> Any:
    """The module of a library.

    Raises:
        DeviceError: it is not there.
    """
    if reason := missing(name):
        raise DeviceError(reason)
    return importlib.import_module(name)


def library_for(card: EngineCard) -> tuple[str, Any]:
    """Name and module of the first library here that can run a plan.

    Raises:
        DeviceError: there is none; says which one to install.
    """
    found, unusable = [], []
    for name in filter(_installed, RUNTIMES):
        if reason := missing(name):
            unusable.append(reason)
            continue
        trt = load(name)
        if suits(card, name, trt.__version__):
            return name, trt
        found.append(f"{name} {trt.__version__}")
    kind = "version-compatible plan" if card.version_compatible else "plan"
    needed = f"{card.version}{' or newer' if card.version_compatible else ''}"
    here = " and ".join(found) or "none"
    if unusable:
        here += f" ({'; '.join(unusable)})"
    raise DeviceError(
        f"this {kind} needs {card.library} {needed}, here is {here}; "
        f"pip install {PACKAGES[card.library]}=={card.version}, or build it again with tsr-export"
    )


def suits(card: EngineCard, name: str, version: str) -> bool:
    """Whether a library of this version can run the plan: the same version, unless the plan is
    version-compatible; then also a newer one, or the lean runtime."""
    if name == "tensorrt_lean":
        kinds_fit = card.library == "tensorrt" and card.version_compatible
    else:
        kinds_fit = card.library == name
    newer = card.version_compatible and _numbers(version) >= _numbers(card.version)
    return kinds_fit and (version == card.version or newer)


@functools.cache
def messages(name: str) -> Any:
    """The logger of a library. There is one per process, since a library hears only its first.

    It prints nothing. `errors` keeps the latest messages of severity error; `listen` is called
    with every message.
    """
    trt = load(name)
    serious = (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)

    class Messages(trt.ILogger):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.errors: deque[str] = deque(maxlen=KEPT_MESSAGES)
            self.listen: Callable[[str], None] = lambda text: None

        def log(self, severity: Any, msg: str) -> None:
            if severity in serious:
                self.errors.append(" ".join(msg.split()))
            self.listen(msg)

    return Messages()


@contextmanager
def explained(log: Any) -> Iterator[Callable[[], str]]:
    """For one call of a library: yields what tells, in one line, why the call failed.

    Errors arrive in the log, not as exceptions, and the first one names the cause.
    """
    log.errors.clear()
    yield lambda: str(log.errors[0])[:300] if log.errors else "it did not say why"


def constructed(what: str, kind: Callable[..., Any], *arguments: Any) -> Any:
    """An object of a library: `kind(*arguments)`.

    A constructor that fails inside the library, for want of a driver that is new enough, say, makes
    the bindings raise a `TypeError` of their own; the reason is in the log, the last argument.

    Args:
        what: "start tensorrt 11.4" and the like, for the message.

    Raises:
        DeviceError: with the reason. MemoryError: the device is full.
    """
    with explained(arguments[-1]) as why:
        try:
            return kind(*arguments)
        except TypeError as error:
            raise failure(f"cannot {what}", why()) from error


@dataclass(frozen=True)
class OpenEngine:
    """An engine in the device's memory.

    Args:
        name: what runs it, for reports. trt: its module. log: its messages.
        runtime: must outlive the engine. engine: the `ICudaEngine`.
    """

    name: str
    trt: Any
    log: Any
    runtime: Any
    engine: Any


def open_engine(data: bytes, card: EngineCard, path: Path, device: CudaDevice) -> OpenEngine:
    """Bring a plan to the GPU it was built for.

    Raises:
        DeviceError: it is for another GPU or library, or that refuses it.
        MemoryError: the device has no room for it.
    """
    check_gpu(card, path, device)
    library, trt = library_for(card)
    name, log = f"{library.replace('_', '-')} {trt.__version__}", messages(library)
    runtime = constructed(f"start {name}", trt.Runtime, log)
    with explained(log) as why:
        if card.version_compatible:
            runtime.engine_host_code_allowed = True
        engine = runtime.deserialize_cuda_engine(data)
        if engine is None:
            raise failure(f"{name} cannot load {path} on {device.name}", why())
    return OpenEngine(name, trt, log, runtime, engine)


def check_gpu(card: EngineCard, path: Path, device: CudaDevice) -> None:
    """Refuse a plan for another GPU before NVIDIA's library does so in its own words.

    Raises:
        DeviceError: says both GPUs.
    """
    capability = "{}.{}".format(*device.capability)
    here = f"here is {device.name} of compute capability {capability}"
    if card.gpu is not None and card.gpu != device.name:
        raise DeviceError(f"{path} was built for {card.gpu}, {here}; {ANYWHERE}")
    if card.capabilities and capability not in card.capabilities:
        wanted = ", ".join(card.capabilities)
        raise DeviceError(f"{path} was built for compute capability {wanted}, {here}; {ANYWHERE}")


def failure(what: str, why: str) -> Exception:
    """The error to raise for a refusal: `MemoryError` if the device is full, else `DeviceError`."""
    if any(words in why for words in OUT_OF_MEMORY):
        return MemoryError(f"{what}: out of device memory")
    return DeviceError(f"{what} ({why}); {ANYWHERE}")


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
