"""The network and its file: sizes, halo, exact bytes, and what is refused."""

import pickle
from pathlib import Path

import models
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tsr.core.errors import ModelError
from tsr.core.model_card import METADATA_KEY
from tsr.core.network_shape import CENTRE
from tsr.core.tiling import NETWORK_HALO
from tsr.trainer.network import EDGE_FRAMES, TsrNetwork, load_model, save_model
from tsr.trainer.torch_ops import pad_halo

HALO = (NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w)


def test_the_network_has_eight_layers_of_128_channels() -> None:
    """Three 3×3×3 and five 1×3×3 convolutions as in the paper (Fig. 8a), the second later."""
    deep, flat = (3, 3, 3), (1, 3, 3)
    kernels = [layer.kernel_size for layer in TsrNetwork().layers]
    assert kernels == [deep, flat, flat, deep, flat, flat, flat, deep]
    assert [layer.out_channels for layer in TsrNetwork().layers] == [128] * 7 + [3]


@torch.no_grad()
def test_the_output_is_smaller_by_the_halo() -> None:
    """No padding inside: what is not given at the border is not made up."""
    network = models.random_network()
    given = torch.rand(1, 3, *(n + 2 * h for n, h in zip((2, 5, 3), HALO, strict=True)))
    assert network(given).shape == (1, 3, 2, 5, 3)


def test_the_halo_is_all_that_a_voxel_depends_on() -> None:
    """The gradient of one output voxel fills exactly the halo around it."""
    network = models.random_network()
    # Positive hidden weights, so that no path is cut by a rectifier.
    for layer in network.layers:
        layer.weight.data.abs_()
        layer.bias.data.fill_(1.0)
    size = [4 * h + 1 for h in HALO]
    given = torch.rand(1, 3, *size, requires_grad=True)
    made = network(given)
    made[0, 0, HALO[0], HALO[1], HALO[2]].backward()
    assert given.grad is not None
    reached = given.grad[0].abs().sum(0).nonzero()
    assert reached.min(0).values.tolist() == list(HALO)
    assert reached.max(0).values.tolist() == [3 * h for h in HALO]


@torch.no_grad()
def test_padding_inside_equals_the_halo_away_from_the_border() -> None:
    """Training's padded form and inference's halo form are one network."""
    network, base = models.random_network(), torch.rand(1, 3, 10, 24, 24)
    t, h, w = HALO
    padded = base[:, :, EDGE_FRAMES:-EDGE_FRAMES] + network.residual_of_crops(base)
    assert padded.shape == (1, 3, 10 - 2 * EDGE_FRAMES, 24, 24)
    inside = padded[:, :, t - EDGE_FRAMES : EDGE_FRAMES - t, h:-h, w:-w]
    torch.testing.assert_close(network(base), inside, rtol=0, atol=1e-5)


@torch.no_grad()
def test_crops_see_zeros_around_them() -> None:
    """As if every layer were padded, and the frames at the ends left out of the loss."""
    network, base = models.random_network(), torch.rand(2, 3, 8, 12, 12)
    made = base - CENTRE
    for layer in network.layers:
        padding = [size // 2 for size in layer.kernel_size]
        made = torch.conv3d(made, layer.weight, layer.bias, padding=padding)
        if layer is not network.layers[-1]:
            made = made.relu()
    torch.testing.assert_close(
        network.residual_of_crops(base), made[:, :, EDGE_FRAMES:-EDGE_FRAMES], rtol=0, atol=1e-6
    )


@torch.no_grad()
def test_the_halo_of_a_whole_video_repeats_its_border() -> None:
    """`pad_halo` is `np.pad` by the edge, so the network's output has the video's size."""
    base = torch.rand(1, 3, 4, 5, 6)
    widths = [(0, 0), (0, 0), *((h, h) for h in HALO)]
    np.testing.assert_array_equal(pad_halo(base).numpy(), np.pad(base.numpy(), widths, "edge"))
    assert models.random_network()(pad_halo(base)).shape == base.shape


def test_initialisation_follows_the_seed() -> None:
    """Equal seeds are equal weights."""
    weights = [models.random_network(seed=seed).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(a, b) for a, b in zip(*(w.values() for w in weights[:2]), strict=True))
    assert not torch.equal(weights[0]["body.0.weight"], weights[2]["body.0.weight"])


def test_a_model_survives_its_file(tmp_path: Path) -> None:
    """Weights bit for bit, the card equal, and saving again gives the same bytes."""
    network, card = models.random_network(), models.card()
    save_model(tmp_path / "a.safetensors", network, card)
    loaded, found = load_model(tmp_path / "a.safetensors")
    assert found == card
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])
    save_model(tmp_path / "b.safetensors", loaded, found)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_layout_in_memory_does_not_show_in_the_file(tmp_path: Path) -> None:
    """Channels-last weights, as training keeps them, are stored in the common order."""
    network = models.random_network()
    save_model(tmp_path / "a.safetensors", network, models.card())
    network.place(torch.device("cpu"))
    save_model(tmp_path / "b.safetensors", network, models.card())
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def refused(path: Path) -> str:
    """The one-line message with which a model file is refused."""
    with pytest.raises(ModelError) as caught:
        load_model(path)
    message = str(caught.value)
    assert path.name in message
    return message


def test_a_missing_file(tmp_path: Path) -> None:
    """Says which command makes one."""
    assert "make it with tsr-train" in refused(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\xff" * 100, bytes(8), b"\x02" + bytes(7) + b"{}"]
)
def test_a_foreign_file(tmp_path: Path, content: bytes) -> None:
    """Whatever is not .safetensors, and .safetensors without a card."""
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    refused(path)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    """Code inside a pickled checkpoint does not run."""

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    path = tmp_path / "pickled.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path)
    torch.save({"body.0.weight": torch.zeros(3)}, path)
    refused(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("part", [0.1, 0.5, 0.999])
def test_a_truncated_file(tmp_path: Path, tiny_model: Path, part: float) -> None:
    """Cut in its header or in its weights."""
    path = tmp_path / "cut.safetensors"
    data = tiny_model.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    assert "train again" in refused(path)


def rewritten(tiny_model: Path, path: Path, channels: int = 8, **changes: torch.Tensor) -> Path:
    metadata = {METADATA_KEY: models.card(channels).to_json()}
    save_file({**load_file(tiny_model), **changes}, path, metadata)
    return path


def test_weights_that_do_not_fit_the_card(tmp_path: Path, tiny_model: Path) -> None:
    """Another width than the card says, or a tensor too many."""
    assert "16 channels" in refused(rewritten(tiny_model, tmp_path / "w.safetensors", 16))
    extra = rewritten(tiny_model, tmp_path / "x.safetensors", extra=torch.zeros(1))
    assert "do not fit" in refused(extra)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path: Path, tiny_model: Path, value: float) -> None:
    """One bad weight is found before it spoils a video."""
    bias = torch.full((8,), value)
    path = rewritten(tiny_model, tmp_path / "nan.safetensors", **{"body.1.bias": bias})
    assert "not finite" in refused(path)


def test_a_file_without_a_card(tmp_path: Path, tiny_model: Path) -> None:
    """Somebody else's network of the same shape."""
    save_file(load_file(tiny_model), tmp_path / "bare.safetensors")
    assert "not made by tsr" in refused(tmp_path / "bare.safetensors")
