"""One engine for many videos: cached, refitted by name, checked, and rebuilt when that fails."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import needs
import numpy as np
import pytest
from bindings import double, trt
from engines import EngineDouble, HostGpu, pretend
from quantised import quantise

from tsr.core.model_card import file_sha256
from tsr.core.plan_file import EngineCard, card_in, read_plan
from tsr.export import engine_builder, refit, to_engine
from tsr.export.to_engine import EngineOptions, describe
from tsr.export.to_onnx import to_onnx
from tsr.runtime import device
from tsr.runtime.onnx_network import OnnxNetwork

# The builder that stands in for TensorRT's times nothing, and says so of the timing cache.
pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache:DeprecationWarning")

TILE = (4, 24, 32)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two videos' models, in FP16."""
    folder = tmp_path_factory.mktemp("videos")
    paths = []
    for seed in range(2):
        weights = folder / f"{seed}.safetensors"
        models.save_model(weights, models.random_network(seed=seed), models.card())
        paths.append(folder / f"{seed}.onnx")
        to_onnx(weights, paths[-1], half=True)
    return paths


class RefittableEngine(EngineDouble):
    """An engine that computes the model it was built from, or whose weights it was given last.

    Args:
        known: the models, to find the one that is meant.
    """

    def __init__(self, known: list[Path]) -> None:
        super().__init__(OnnxNetwork(known[0]))
        self.known = known
        self.missing: list[str] = []
        self.exchanges = True
        self.flags: list[Any] = []
        self._refitted: dict[bytes, Path] = {}

    def _load(self, data: bytes) -> Any:
        kernels = without_card(data)
        card = card_in(data, Path("x.plan"))
        built_from = {file_sha256(path): path for path in self.known}
        self.model = self._refitted.get(kernels) or built_from[card.model_sha256]
        self.network = OnnxNetwork(self.model)

        config = double(trt.ISerializationConfig, set_flag=self.flags.append)

        def serialize(config: Any) -> bytes:
            self._refitted[kernels] = self.model
            return data

        engine = super()._load(data)
        engine.create_serialization_config.side_effect = lambda: config
        engine.serialize_with_config.side_effect = serialize
        return engine

    def refitter(self, engine: Any, log: Any) -> Any:
        """In the place of `trt.Refitter`."""
        assert isinstance(engine, trt.ICudaEngine)
        stored = {path: refit.weights_of(path) for path in self.known}
        names = list(stored[self.known[0]])
        given: dict[str, Any] = {}

        def take(name: str, weights: trt.Weights) -> bool:
            given[name] = weights.numpy().copy()
            return True

        def exchange() -> bool:
            fitting = [
                path
                for path, weights in stored.items()
                if all(np.array_equal(given[name], weights[name].ravel()) for name in names)
            ]
            if self.exchanges:
                (self.model,) = fitting
            return True

        return double(
            trt.Refitter,
            get_all_weights=lambda: [*names, *self.missing],
            set_named_weights=take,
            get_missing_weights=lambda: self.missing,
            refit_cuda_engine=exchange,
        )


def without_card(data: bytes) -> bytes:
    """All of a plan that does not depend on its card."""
    return data.replace(card_in(data, Path("x.plan")).to_name().encode(), b"")


@pytest.fixture
def engine(videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RefittableEngine:
    """TensorRT with a GPU, as far as it can be had here: builds by the RTX builder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = RefittableEngine(videos)
    tensorrt = pretend("tensorrt", "11.4.0.106")
    vars(tensorrt).update(Runtime=made.runtime, Refitter=made.refitter)
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt)
    monkeypatch.setattr(device, "missing", lambda: None)
    monkeypatch.setattr(device, "CudaDevice", HostGpu)
    monkeypatch.setattr(engine_builder, "_config", without_refit(engine_builder._config))
    return made


def without_refit(config: Callable[..., Any]) -> Callable[..., Any]:
    """RTX builds no refittable engine without a GPU; nothing else is left out."""

    def made(trt: Any, builder: Any, card: EngineCard, *rest: Any) -> Any:
        return config(trt, builder, replace(card, refittable=False), *rest)

    return made


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The models for which the builder was called."""
    done: list[Path] = []
    build = engine_builder.build_plan

    def counted(model: Path, *rest: Any) -> bytes:
        done.append(model)
        return build(model, *rest)

    monkeypatch.setattr(to_engine, "build_plan", counted)
    return done


def make(model: Path, output: Path, **options: Any) -> Any:
    """Export for the double's GPU."""
    return to_engine.to_engine(model, output, EngineOptions(tile=TILE, **options), overwrite=True)


def test_the_second_video_is_refitted(
    engine: RefittableEngine, builds: list[Path], videos: list[Path], tmp_path: Path
) -> None:
    """Its file carries its own card, and computes its own model: ONNX Runtime was asked."""
    first, second, third = (
        make(videos[i], tmp_path / f"{n}.plan") for n, i in enumerate((0, 1, 0))
    )
    assert [first.how, second.how, third.how] == ["built", "refitted", "refitted"]
    assert builds == [videos[0]]
    assert first.checked
    assert second.checked
    assert first.card.refittable
    for n, result in enumerate((first, second, third)):
        card = read_plan(tmp_path / f"{n}.plan")[1]
        assert card == result.card
        assert card.model_sha256 == file_sha256(videos[n % 2])
        assert (card.library, card.gpu) == ("tensorrt", HostGpu.name)
    assert engine.model == videos[0]
    # What its card says of it: without this flag its weights could be exchanged no more.
    assert engine.flags == [trt.SerializationFlag.INCLUDE_REFIT] * 2


@pytest.mark.cuda
def test_on_a_gpu_the_second_video_is_refitted(
    cuda_device: Any, videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT itself: its refit, and our exchange of the card in its plan."""
    needs.module("tensorrt", "pip install tensorrt")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    results = [
        make(video, tmp_path / f"{n}.plan", target="tensorrt") for n, video in enumerate(videos)
    ]
    assert [result.how for result in results] == ["built", "refitted"]
    assert all(result.checked for result in results)
    for n, video in enumerate(videos):
        assert read_plan(tmp_path / f"{n}.plan")[1].model_sha256 == file_sha256(video)


@pytest.mark.parametrize("trouble", ["missing weights", "wrong numbers", "damaged cache"])
def test_a_refit_that_fails_ends_in_a_new_engine(
    trouble: str, engine: RefittableEngine, builds: list[Path], videos: list[Path], tmp_path: Path
) -> None:
    """And the result says so."""
    make(videos[0], tmp_path / "a.plan")
    if trouble == "missing weights":
        engine.missing = ["body.9.weight"]
        reason = "lacks the weights body.9.weight"
    elif trouble == "wrong numbers":
        engine.exchanges = False
        reason = "differs from ONNX Runtime"
    else:
        (cached,) = (tmp_path / "cache").rglob("*.plan")
        cached.write_bytes(cached.read_bytes()[:-1])
        reason = "was cut off"
    result = make(videos[1], tmp_path / "b.plan")
    assert result.how.startswith("built anew, since the cached engine did not do")
    assert reason in result.how
    assert result.checked
    assert builds == videos
    assert read_plan(tmp_path / "b.plan")[1] == result.card


def test_a_cache_that_cannot_be_written_costs_no_engine(
    engine: RefittableEngine, videos: list[Path], tmp_path: Path
) -> None:
    """Minutes of building are not thrown away for it; the result says that the next one builds."""
    (tmp_path / "cache").write_text("a file where the folder should be")
    result = make(videos[0], tmp_path / "a.plan")
    assert result.how.startswith("built, not kept for the next video (cannot write")
    assert result.checked
    assert read_plan(tmp_path / "a.plan")[1] == result.card


def test_an_int8_engine_is_built_for_each_video(
    engine: RefittableEngine, builds: list[Path], tmp_path: Path, tiny_onnx: Path
) -> None:
    """Its scales belong to the video; the timings of the build before are at hand."""
    model = quantise(tiny_onnx, tmp_path / "int8.onnx")
    engine.known = [model]
    for name in ("a.plan", "b.plan"):
        result = make(model, tmp_path / name)
        assert result.how == "built"
        assert not result.card.refittable
    assert builds == [model, model]
    assert list((tmp_path / "cache").rglob("*.plan")) == []
    assert len(list((tmp_path / "cache" / "tsr" / "timings").iterdir())) == 1


def test_an_engine_can_be_built_past_the_cache(
    engine: RefittableEngine, builds: list[Path], videos: list[Path], tmp_path: Path
) -> None:
    """`--no-refit`: for one model alone, which may run faster."""
    make(videos[0], tmp_path / "a.plan")
    for video in videos:
        result = make(video, tmp_path / "b.plan", refit=False)
        assert result.how == "built"
        assert not result.card.refittable
    assert builds == [videos[0], *videos]


def test_cached_engines_are_told_apart_by_what_they_depend_on(
    engine: RefittableEngine, videos: list[Path], tiny_onnx: Path
) -> None:
    """Not by weights and cards."""
    card, _ = describe(videos[0], OnnxNetwork(videos[0]).card, EngineOptions(tile=TILE), HostGpu())
    place = refit.cached_engine(videos[0], card)
    assert refit.cached_engine(videos[1], replace(card, model_sha256="0")) == place
    assert refit.cached_engine(tiny_onnx, card) != place  # FP32
    for changed in (
        {"gpu": "NVIDIA H200"},
        {"version": "11.5.0.1"},
        {"tile": (8, 24, 32)},
        {"version_compatible": True},
    ):
        assert refit.cached_engine(videos[0], replace(card, **changed)) != place
