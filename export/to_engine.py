"""THE STORY of the engine: .onnx → target → cached engine refitted, or a new one built → checked.

An FP16 or FP32 engine for `tensorrt` takes its time to build, since kernels are timed, and the next
video's network differs in its weights alone. So it is built once per GPU, tile and library version,
kept, and refitted (`tsr.export.refit`). INT8 engines are built per video, by the timings
of the one before: their scales, too, belong to the video. TensorRT for RTX builds in less than a
second and cannot build a refittable engine without a GPU, so there every engine is built.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tsr.calibration.session import GraphNetwork
from tsr.core.cache import keep_if_possible
from tsr.core.errors import DeviceError, ModelError, SettingsError
from tsr.core.model_card import ModelCard, file_sha256
from tsr.core.outputs import check_output, completed
from tsr.core.plan_file import EngineCard, Size, card_in
from tsr.export import refit
from tsr.export.engine_builder import Profile, build_plan, compute_capability, window
from tsr.runtime import device, tensorrt_library
from tsr.runtime.cuda_backend import TILE, CudaBackend, whole_tile
from tsr.runtime.device import CudaDevice
from tsr.runtime.onnx_network import read_card
from tsr.runtime.tensorrt_network import TensorRtNetwork

TARGETS = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
"""What a user calls a library, and its module."""

RTX_GENERATIONS = (8, 12)
"""Compute capabilities, without their minor number, that a plan of TensorRT for RTX serves unless
it says otherwise. Hopper and the data-centre Blackwell are not among them."""

CHECKED_TILE: Size = (4, 24, 32)
"""The tile on which a new engine is compared with ONNX Runtime."""

REFITTED = ("fp32", "fp16")
"""Precisions whose engines can be refitted: those without scales."""

TOLERANCES = {"fp32": 1e-4, "fp16": 5e-3}
QUANTISED_TOLERANCE = 5e-2
"""Largest differences of pixel values to ONNX Runtime on the CPU: sums in another order; the last
place of FP16; and where numbers have 8 bits, a step of their scale, if a value lies between two."""


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What to build.

    Args:
        target: `tensorrt`, `tensorrt-rtx`, or `auto`: the first that can build here.
        tile: (frames, rows, columns) of network output per call to tune for.
        capabilities: compute capabilities as 8.9, for `tensorrt-rtx`: ahead of time, without a
            GPU; none: every GPU that the library knows.
        version_compatible: also newer versions and the lean runtime shall load the plan.
        refit: use the cached engine, and leave this one for the next video. An engine that is
            built for one model alone may run faster.
    """

    target: str = "auto"
    tile: Size = TILE
    capabilities: tuple[str, ...] = ()
    version_compatible: bool = False
    refit: bool = True


@dataclass(frozen=True)
class EngineResult:
    """The card of a new engine, and how it came about: `built` or `refitted`, and whether it was
    `checked` on a GPU here."""

    card: EngineCard
    how: str
    checked: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {"how": self.how, "checked": self.checked, **self.card.to_dict()}


class Reference:
    """The .onnx file by ONNX Runtime on the CPU, node by node, as the engine should compute it.

    Raises:
        ModelError: the file is missing, damaged, not a model of ours, or calibrated for CPUs.
    """

    def __init__(self, model: Path) -> None:
        self.card = read_card(model)
        if self.card.calibration.get("target") == "cpu":
            raise ModelError(
                f"{model} was calibrated for CPUs, and TensorRT reads another form; make it with "
                "tsr-export MODEL.safetensors --int8 VIDEO --for tensorrt"
            )
        self.run = GraphNetwork(onnx.load(model), exact=True)


def to_engine(
    model: Path,
    output: Path,
    options: EngineOptions | None = None,
    *,
    overwrite: bool = False,
) -> EngineResult:
    """Make a TensorRT plan from an .onnx file of ours; its precision is the file's.

    Raises:
        ModelError: the model cannot be read, or the engine does not agree with it.
        DeviceError: a library or a GPU is missing; says how to get it.
        SettingsError: the options contradict each other. OutputError: the file cannot be written.
    """
    options = options or EngineOptions()
    check_output(output, inputs=(model,), overwrite=overwrite)
    reference = Reference(model)
    gpu = None if device.missing() else device.CudaDevice()
    card, profile = describe(model, reference.card, options, gpu)
    with completed(output) as temporary:
        if gpu is None or not card.refittable:
            checked = _built(temporary, model, reference, card, profile, gpu)
            return EngineResult(card, "built", checked)
        cached = refit.cached_engine(model, card)
        how = "built"
        if cached.is_file():
            try:
                temporary.write_bytes(refit.refitted(cached, model, card, gpu))
                check_engine(temporary, reference, gpu)
                return EngineResult(card, "refitted", checked=True)
            except (DeviceError, ModelError) as error:
                how = f"built anew, since the cached engine did not do ({error})"
        _built(temporary, model, reference, card, profile, gpu)
        if reason := keep_if_possible(cached, temporary.read_bytes()):
            how = f"{how}, not kept for the next video ({reason})"
    return EngineResult(card, how, checked=True)


def describe(
    model: Path, card: ModelCard, options: EngineOptions, gpu: CudaDevice | None
) -> tuple[EngineCard, Profile]:
    """The engine that `options` ask for, before it is built.

    Raises:
        DeviceError: nothing here can build it. SettingsError: the options do not go together.
    """
    library = choose_library(options)
    if options.target == "auto" and gpu and not options.capabilities:
        _refuse_for_nobody(library, gpu)
    trt = tensorrt_library.load(library)
    for capability in options.capabilities:
        compute_capability(trt, capability)
    profile = Profile.around(whole_tile(options.tile), card.channels)
    described = EngineCard(
        model=card,
        model_sha256=file_sha256(model),
        library=library,
        version=trt.__version__,
        tile=profile.tile,
        smallest=profile.smallest,
        largest=profile.largest,
        gpu=gpu.name if gpu and library == "tensorrt" else None,
        capabilities=options.capabilities,
        version_compatible=options.version_compatible,
        refittable=options.refit and library == "tensorrt" and card.precision in REFITTED,
    )
    return described, profile


def choose_library(options: EngineOptions) -> str:
    """The module that builds what `options` ask for: the one named, or the first that can.

    Raises:
        DeviceError: says what is missing, with the command that installs it.
        SettingsError: an option is not for that library.
    """
    reasons = {
        "tensorrt": tensorrt_library.missing("tensorrt") or _without_gpu(),
        "tensorrt_rtx": tensorrt_library.missing("tensorrt_rtx"),
    }
    if options.target == "auto":
        if options.capabilities:
            wanted = ["tensorrt_rtx"]
        elif options.version_compatible:
            wanted = ["tensorrt"]
        else:
            wanted = ["tensorrt", "tensorrt_rtx"]
    elif options.target in TARGETS:
        wanted = [TARGETS[options.target]]
    else:
        raise SettingsError(
            f"target {options.target} is unknown; choose auto, {', '.join(TARGETS)}"
        )
    if options.capabilities and "tensorrt_rtx" not in wanted:
        raise SettingsError(
            "tensorrt builds for the GPU at hand alone; leave out --compute-capability, or use "
            "--target tensorrt-rtx"
        )
    if options.version_compatible and "tensorrt" not in wanted:
        raise SettingsError(
            "TensorRT for RTX makes no version-compatible plans; leave out --version-compatible "
            "and --compute-capability, or use --target tensorrt"
        )
    for name in wanted:
        if reasons[name] is None:
            return name
    raise DeviceError(
        "no engine can be built here: " + "; ".join(str(reasons[name]) for name in wanted)
    )


def check_engine(path: Path, reference: Reference, gpu: CudaDevice) -> None:
    """Compare a plan, as the runtime runs it, with ONNX Runtime on the CPU.

    Raises:
        ModelError: they differ. DeviceError: the plan cannot be run.
    """
    network = TensorRtNetwork(path, gpu)
    backend = CudaBackend(gpu, network)
    tile = tuple(map(min, CHECKED_TILE, network.engine_card.tile))
    given = np.random.default_rng(0).random((3, *window(tile)), np.float32)
    made = backend.kernels.volume(3, *tile)
    network(backend.load(given), made)
    error = float(np.abs(backend.store(made) - reference.run(given)).max())
    if not error <= TOLERANCES.get(reference.card.precision, QUANTISED_TOLERANCE):
        raise ModelError(
            f"the engine differs from ONNX Runtime by {error:.1e}; nothing was written. "
            f"Report this, with the versions: {network.name} on {gpu.name}"
        )


def _built(
    path: Path,
    model: Path,
    reference: Reference,
    card: EngineCard,
    profile: Profile,
    gpu: CudaDevice | None,
) -> bool:
    """Build a plan at `path`; returns whether it could be checked on this machine's GPU."""
    data = build_plan(model, card, profile)
    if card_in(data, path) != card:
        raise ModelError(f"{card.library} {card.version} did not keep the engine card; report this")
    path.write_bytes(data)
    if gpu is None or not _runs_on(card, gpu):
        return False
    check_engine(path, reference, gpu)
    return True


def _without_gpu() -> str | None:
    reason = device.missing()
    return reason and (
        f"tensorrt times its kernels on the GPU it builds for, and {reason} (ahead of time, "
        "without a GPU: --target tensorrt-rtx)"
    )


def _refuse_for_nobody(library: str, gpu: CudaDevice) -> None:
    """An engine for all GPUs that RTX knows, but not for the one at hand, is not what was meant."""
    if library == "tensorrt_rtx" and gpu.capability[0] not in RTX_GENERATIONS:
        major, minor = gpu.capability
        raise DeviceError(
            f"TensorRT for RTX builds nothing for {gpu.name} unless asked: pip install tensorrt, "
            f"or try --compute-capability {major}.{minor}"
        )


def _runs_on(card: EngineCard, gpu: CudaDevice) -> bool:
    """Whether the engine is meant for a GPU like this one."""
    if card.library == "tensorrt":
        return True
    major, minor = gpu.capability
    if card.capabilities:
        return f"{major}.{minor}" in card.capabilities
    return major in RTX_GENERATIONS
