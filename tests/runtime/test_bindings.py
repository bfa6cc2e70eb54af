"""Every call that is made of NVIDIA's libraries exists in each of them, with the same parameters.

The bindings of `tensorrt` are a small package without the library, which is three gigabytes; an
empty one of the same name lets them be imported: pip install tensorrt-cu13-bindings.
"""

import ctypes
import importlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import bindings
import pytest

BUILDING: dict[str, dict[str, tuple[Any, ...]]] = {
    "Builder": {
        "create_network": (1,), "create_builder_config": (), "create_optimization_profile": (),
        "build_serialized_network": ("INetworkDefinition", "IBuilderConfig"),
    },
    "OnnxParser": {"parse_from_file": ("m.onnx",), "get_error": (0,)},
    "IBuilderConfig": {
        "clear_flag": ("BuilderFlag",), "set_flag": ("BuilderFlag",),
        "add_optimization_profile": ("IOptimizationProfile",), "create_timing_cache": (b"",),
        "set_timing_cache": ("ITimingCache", False), "get_timing_cache": (),
    },
    "ITimingCache": {"serialize": ()},
}  # fmt: skip
RUNNING: dict[str, dict[str, tuple[Any, ...]]] = {
    "Runtime": {"deserialize_cuda_engine": (b"",)},
    "ICudaEngine": {
        "get_tensor_name": (0,), "serialize": (), "create_serialization_config": (),
        "create_execution_context": ("ExecutionContextAllocationStrategy",),
        "serialize_with_config": ("ISerializationConfig",),
    },
    "ISerializationConfig": {"set_flag": ("SerializationFlag",)},
    "IExecutionContext": {
        "set_input_shape": ("base", (1, 3, 8, 18, 20)), "set_device_memory": (256, 512),
        "update_device_memory_size_for_shapes": (), "set_tensor_address": ("base", 256),
        "execute_async_v3": (7,),
    },
    "Refitter": {
        "get_all_weights": (), "get_missing_weights": (), "refit_cuda_engine": (),
        "set_named_weights": ("body.0.weight", "Weights"),
    },
}  # fmt: skip
"""Methods by class, with arguments as we pass them; a class stands for an instance of it."""

NAMES = [
    "ILogger.Severity.ERROR", "ILogger.Severity.INTERNAL_ERROR", "SerializationFlag.INCLUDE_REFIT",
    "ExecutionContextAllocationStrategy.USER_MANAGED",
]  # fmt: skip
BUILDERS_NAMES = [
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED", "BuilderFlag.REFIT", "BuilderFlag.TF32",
    "BuilderFlag.VERSION_COMPATIBLE", "ProfilingVerbosity.DETAILED",
]  # fmt: skip


def empty_library(binding: Path) -> None:
    """Let the bindings of `tensorrt` load where the library is not: all it lacks is empty."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    readelf = shutil.which("readelf")
    if compiler is None or readelf is None:
        pytest.skip("needs a C compiler and readelf")
    shown = subprocess.run(
        [readelf, "--wide", "--dyn-syms", "--dynamic", str(binding)],
        capture_output=True, encoding="utf-8", check=True,
    ).stdout  # fmt: skip
    lacking = [
        words[7] for line in shown.splitlines()
        if len(words := line.split()) >= 8 and words[6] == "UND" and words[4] == "GLOBAL"
        and "@" not in words[7] and not words[7].startswith(("Py", "_Py", "_"))
    ]  # fmt: skip
    source = "".join(f"long {name}(void) {{ return 0; }}\n" for name in lacking)
    for line in shown.splitlines():
        if "NEEDED" in line and "libnv" in line:
            name = line.split("[")[1].rstrip("]")
            made = binding.parent / name
            command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(made)]
            subprocess.run([*command, f"-Wl,-soname,{name}"], input=source.encode(), check=True)
            ctypes.CDLL(str(made), ctypes.RTLD_GLOBAL)


@pytest.fixture(params=["tensorrt_rtx", "tensorrt_lean_bindings", "tensorrt_bindings"])
def library(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bindings of one library."""
    if request.param == "tensorrt_bindings":
        found = importlib.util.find_spec("tensorrt_bindings")
        if found is None or found.submodule_search_locations is None:
            pytest.skip("needs the bindings: pip install --no-deps tensorrt-cu13-bindings")
        copy = tmp_path / "tensorrt_bindings"
        shutil.copytree(found.submodule_search_locations[0], copy)
        empty_library(next(copy.glob("tensorrt*.so")))
        monkeypatch.syspath_prepend(tmp_path)
    return pytest.importorskip(request.param)


def test_every_library_takes_our_calls(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doubles are specified from one of them; what they take, the others take too."""
    monkeypatch.setattr(bindings, "trt", library)
    builds = hasattr(library, "Builder")
    calls = (BUILDING if builds else {}) | RUNNING
    for cls, methods in calls.items():
        for name, arguments in methods.items():
            given = tuple(
                instance(library, argument)
                if isinstance(argument, str) and argument[0].isupper()
                else argument
                for argument in arguments
            )
            overloads = bindings.signatures(getattr(getattr(library, cls), name), name)
            assert overloads, f"{cls}.{name}"
            assert any(bindings.accepts(overload, given, {}) for overload in overloads), (
                f"{cls}.{name}{arguments}: {overloads}"
            )
    for path in [*NAMES, *(BUILDERS_NAMES if builds else [])]:
        found = library
        for part in path.split("."):
            found = getattr(found, part)


def instance(library: Any, name: str) -> Any:
    """Something that passes for an instance of a class."""
    cls = getattr(library, name)
    members = getattr(cls, "__members__", None)
    return next(iter(members.values())) if members else bindings.double(cls)
