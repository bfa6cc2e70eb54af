"""The exported file: names, dynamic axes, values, the card, and nothing else in it."""

from pathlib import Path

import models
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from click.testing import CliRunner

from tsr.core.errors import ModelError, OutputError
from tsr.core.model_card import METADATA_KEY, ModelCard
from tsr.core.tiling import NETWORK_HALO
from tsr.export import to_onnx as export
from tsr.export.cli import main
from tsr.runtime import onnx_network
from tsr.trainer.network import load_model

HALO = np.array([NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w])


@pytest.fixture(scope="module")
def session(tiny_onnx: Path) -> ort.InferenceSession:
    return ort.InferenceSession(tiny_onnx, providers=["CPUExecutionProvider"])


def test_export_and_runtime_agree_on_names() -> None:
    """The two packages may not import each other, so this holds them together."""
    assert (export.INPUT, export.OUTPUT) == (onnx_network.INPUT, onnx_network.OUTPUT)


def test_time_height_and_width_are_dynamic(session: ort.InferenceSession) -> None:
    """One file serves every tile; batch and colours are fixed."""
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("base", [1, 3, "time", "height", "width"])
    assert made.name == "htr"
    assert made.shape[:2] == [1, 3]
    assert all(isinstance(axis, str) for axis in made.shape[2:])
    assert not set(made.shape[2:]) & set(given.shape[2:])  # smaller by the halo


@pytest.mark.parametrize("size", [(2, 2, 2), (2, 3, 50), (16, 16, 16), (7, 31, 5)])
def test_values_are_torchs(
    session: ort.InferenceSession, tiny_model: Path, size: tuple[int, int, int]
) -> None:
    """At the smallest, odd and usual shapes, none of which was traced."""
    network, _ = load_model(tiny_model)
    shape = (1, 3, *(np.array(size) + 2 * HALO))
    base = np.random.default_rng(1).random(shape, np.float32)
    (found,) = session.run(None, {"base": base})
    with torch.no_grad():
        expected = network(torch.from_numpy(base)).numpy()
    assert found.shape == (1, 3, *size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_the_card_travels_with_the_file(tiny_model: Path, tiny_onnx: Path) -> None:
    """The model's own card, with the exporter's version added."""
    _, given = load_model(tiny_model)
    found = onnx_network.OnnxNetwork(tiny_onnx).card
    assert found.versions["onnx"] == onnx.__version__
    assert ModelCard(**{**vars(found), "versions": given.versions}) == given


def test_the_file_is_whole_and_says_nothing_of_where_it_was_made(
    tiny_model: Path, tiny_onnx: Path
) -> None:
    """No external data, no path, no source line of the tracer; weights keep their names."""
    graph = onnx.load(tiny_onnx, load_external_data=False)
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    assert all(not tensor.external_data for tensor in weights.values())
    network, _ = load_model(tiny_model)
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(weights[name]), tensor.numpy())
    data = tiny_onnx.read_bytes()
    for trace in (b"/usr", b"/home", b"/work", b"/tmp", b".py", b"site-packages", b"Traceback"):
        assert trace not in data
    assert [entry.key for entry in graph.metadata_props] == [METADATA_KEY]


def test_export_gives_the_same_bytes_again(
    tmp_path: Path, tiny_model: Path, tiny_onnx: Path
) -> None:
    """Equal models are equal files."""
    export.to_onnx(tiny_model, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == tiny_onnx.read_bytes()


def test_the_check_finds_another_network(tiny_onnx: Path) -> None:
    """A graph whose values are not the model's is not let through."""
    with pytest.raises(ModelError, match="differs from torch"):
        export.check_export(tiny_onnx, models.random_network(seed=1))


def test_the_check_finds_a_fixed_axis(tmp_path: Path, tiny_onnx: Path) -> None:
    """A graph for one size only is not let through."""
    graph = onnx.load(tiny_onnx)
    graph.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 40
    onnx.save(graph, tmp_path / "fixed.onnx")
    with pytest.raises(ModelError, match="fixed an axis"):
        export.check_export(tmp_path / "fixed.onnx", models.random_network())


def test_a_failed_check_leaves_no_file(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The final name belongs to checked models only."""

    def fail(path: Path, *_: object) -> None:
        assert path.exists()
        raise ModelError("export differs")

    monkeypatch.setattr(export, "check_export", fail)
    with pytest.raises(ModelError):
        export.to_onnx(tiny_model, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept(tmp_path: Path, tiny_model: Path) -> None:
    """Before any tracing."""
    (tmp_path / "m.onnx").touch()
    with pytest.raises(OutputError, match="--overwrite"):
        export.to_onnx(tiny_model, tmp_path / "m.onnx")


def test_the_command_names_the_output_after_the_model(tmp_path: Path, tiny_model: Path) -> None:
    """model.safetensors gives model.onnx beside it, and says what is in it."""
    model = tmp_path / "m.safetensors"
    model.write_bytes(tiny_model.read_bytes())
    result = CliRunner().invoke(main, [str(model)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "m.onnx").exists()
    assert "8 channels, fp32, checked against torch" in result.stderr
