"""Models that users should not have given: refused in one line, and nothing half-written."""

import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import refusal

from tsr.core.model_card import METADATA_KEY

pytestmark = pytest.mark.usefixtures("nothing_half_written")


def foreign_graph(path: Path, card: str | None = None) -> Path:
    """A valid ONNX file that somebody else made."""
    shape = [1, 3, 4]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "foreign",
        [info("x", onnx.TensorProto.FLOAT, shape)],
        [info("y", onnx.TensorProto.FLOAT, shape)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    if card is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, card
    onnx.save(model, path)
    return path


@pytest.fixture
def bad_models(tmp_path: Path, shelf: Path, tiny_onnx: Path, tiny_model: Path) -> dict[str, Path]:
    folder = tmp_path / "models"
    folder.mkdir()
    data = tiny_onnx.read_bytes()
    card = onnx.load(tiny_onnx).metadata_props[0].value
    made = {
        "absent": folder / "absent.onnx",
        "folder": folder,
        "text": folder / "text.onnx",
        "empty": folder / "empty.onnx",
        "cut": folder / "cut.onnx",
        "video": shelf / "good.mp4",
        "weights": tiny_model,
        "foreign": foreign_graph(folder / "foreign.onnx"),
        "disguised": foreign_graph(folder / "disguised.onnx", card),
        "damaged card": foreign_graph(folder / "card.onnx", card[:40]),
        "fixed": folder / "fixed.onnx",
        "not finite": folder / "nan.onnx",
    }
    made["text"].write_text("no model")
    made["empty"].touch()
    made["cut"].write_bytes(data[: len(data) // 2])
    graph = onnx.load(tiny_onnx)
    for dim, size in zip(
        graph.graph.input[0].type.tensor_type.shape.dim[2:], (9, 20, 20), strict=True
    ):
        dim.dim_value = size
    onnx.save(graph, made["fixed"])
    graph = onnx.load(tiny_onnx)
    bias = next(t for t in graph.graph.initializer if t.name == "body.7.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, np.float32), bias.name))
    onnx.save(graph, made["not finite"])
    return made


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "does not exist"),
        ("folder", ""),
        ("text", "not a readable ONNX model"),
        ("empty", "not a readable ONNX model"),
        ("cut", "not a readable ONNX model"),
        ("video", "not a readable ONNX model"),
        ("weights", "tsr-export"),
        ("foreign", "not made by tsr"),
        ("disguised", "expected base, htr"),
        ("damaged card", "damaged model card"),
        ("fixed", "fixed size"),
        ("not finite", "not finite"),
    ],
)
def test_models_that_cannot_be_run(
    tmp_path: Path, shelf: Path, bad_models: dict[str, Path], name: str, words: str
) -> None:
    """Missing, damaged and foreign files, and ours of another kind."""
    line = refusal(
        "tsr-run", bad_models[name], shelf / "good.mp4", "-o", tmp_path / "out.mp4",
        "--start-scale", "1/4",
    )  # fmt: skip
    assert words in line


@pytest.mark.parametrize("name", ["absent", "folder", "text", "empty", "cut", "video", "foreign"])
def test_models_that_cannot_be_exported(
    tmp_path: Path, bad_models: dict[str, Path], name: str
) -> None:
    """The same files where weights are expected."""
    line = refusal("tsr-export", bad_models[name], "-o", tmp_path / "out.onnx")
    assert bad_models[name].name in line


def test_pickles_are_data(tmp_path: Path, tiny_onnx: Path, shelf: Path) -> None:
    """A checkpoint with code in it is refused and not run, as weights and as ONNX."""

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    bomb = tmp_path / "bomb.safetensors"
    bomb.write_bytes(pickle.dumps(Bomb()))
    refusal("tsr-export", bomb, "-o", tmp_path / "out.onnx")
    refusal("tsr-run", bomb, shelf / "good.mp4", "-o", tmp_path / "out.mp4")
    assert not (tmp_path / "ran").exists()


def test_an_export_that_is_named_neither_onnx_nor_plan(tmp_path: Path, tiny_model: Path) -> None:
    """The suffix says what a file is."""
    line = refusal("tsr-export", tiny_model, "-o", tmp_path / "out.engine")
    assert "neither an .onnx nor a .plan" in line
