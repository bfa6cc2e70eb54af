"""The video-specific network and its file (paper 4.1, Fig. 8a)."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from tsr.core.errors import ModelError
from tsr.core.model_card import METADATA_KEY, ModelCard
from tsr.core.outputs import completed
from tsr.core.tiling import NETWORK_HALO

KERNELS = ((3, 3, 3), *[(1, 3, 3)] * 2, (3, 3, 3), *[(1, 3, 3)] * 3, (3, 3, 3))
"""(t, h, w) extent of the eight convolutions; sharper in space than in time (method-notes.md). The
release has its second 3×3×3 in the second place; behind two more layers that see the frames one by
one, it compares what they hold instead of their pixels: 0.15 to 0.4 dB in the first pass on three
clips, for 0 to 3 % more work by the size of tiles (benchmarks/RESULTS.md, "Trials")."""


EDGE_FRAMES = sum(t // 2 for t, _, _ in KERNELS[1:])
"""Frames at each temporal end of a crop that training leaves out (release: 2): the cubic
interpolation sees less there than it will inside a video."""

CENTRE = 0.5
"""Taken off the input: with values around zero no layer dies early on (+0.15 dB at 900 steps)."""

LAST_LAYER_GAIN = 0.1
"""Of the last layer's He initialisation: training starts near the interpolation, yet every layer
has a gradient from the first step on."""


class TsrNetwork(nn.Module):
    """Eight 3-D convolutions that predict what cubic interpolation in time misses.

    No padding inside: the output is smaller than the input by `NETWORK_HALO` on each side, and
    every output voxel is computed the same way wherever it lies, so tiles never show.

    Args:
        channels: width of the seven hidden layers; the paper has 128.
    """

    def __init__(self, channels: int = 128) -> None:
        super().__init__()
        widths = [3, *[channels] * (len(KERNELS) - 1), 3]
        self.body = nn.ModuleList(
            nn.Conv3d(before, after, kernel)
            for before, after, kernel in zip(widths[:-1], widths[1:], KERNELS, strict=True)
        )

    @property
    def channels(self) -> int:
        """Width of the hidden layers."""
        return self.layers[0].out_channels

    @property
    def layers(self) -> list[nn.Conv3d]:
        """The convolutions in order."""
        return [layer for layer in self.body if isinstance(layer, nn.Conv3d)]

    def initialise(self, generator: torch.Generator) -> None:
        """He initialisation, the last layer at `LAST_LAYER_GAIN` of it."""
        for layer in self.layers:
            fan_in = layer.weight[0].numel()
            layer.weight.data.normal_(0.0, (2.0 / fan_in) ** 0.5, generator=generator)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.layers[-1].weight.data.mul_(LAST_LAYER_GAIN)

    def silence(self) -> None:
        """Make the residual zero everywhere, so that interpolation stays as it is."""
        self.layers[-1].weight.data.zero_()
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def place(self, device: torch.device) -> None:
        """Move the weights to `device`, channels last: the layout that convolutions run fast in."""
        self.to(device)
        for parameter in self.parameters():
            if parameter.dim() == 5:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)

    def residual(self, base: Tensor) -> Tensor:
        """What to add to `base` (B, 3, T + 6, H + 16, W + 16) inside the halo."""
        return self._residual(base, [(0, 0, 0)] * len(KERNELS))

    def residual_of_crops(self, base: Tensor) -> Tensor:
        """What to add to training crops `base` (B, 3, T, H, W), but for the frames at their ends:
        (B, 3, T - 2 · `EDGE_FRAMES`, H, W). Zero padding does for the rest of the halo."""
        # In time in the first layer alone: what the ends need later would be thrown away anyway.
        return self._residual(
            base, [(t // 2 * (n == 0), h // 2, w // 2) for n, (t, h, w) in enumerate(KERNELS)]
        )

    def _residual(self, base: Tensor, paddings: Sequence[tuple[int, int, int]]) -> Tensor:
        x = base - CENTRE
        for layer, padding in zip(self.layers, paddings, strict=True):
            x = F.conv3d(x, layer.weight, layer.bias, padding=padding)
            if layer is not self.layers[-1]:
                x = F.relu(x)
        return x

    def forward(self, base: Tensor) -> Tensor:
        """(B, 3, T + 6, H + 16, W + 16) cubic-interpolated → (B, 3, T, H, W) high frame rate."""
        t, h, w = NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w
        return base[:, :, t:-t, h:-h, w:-w] + self.residual(base)


def save_model(path: Path, network: TsrNetwork, card: ModelCard) -> None:
    """Write weights and card into one .safetensors file; equal models are equal bytes."""
    tensors = {
        name: tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in network.state_dict().items()
    }
    with completed(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={METADATA_KEY: card.to_json()}))


def load_model(path: Path) -> tuple[TsrNetwork, ModelCard]:
    """Read a model file.

    Raises:
        ModelError: the file is missing, damaged, foreign, or its weights do not fit its card.
    """
    if not path.is_file():
        raise ModelError(f"{path} does not exist; make it with tsr-train VIDEO -o {path.name}")
    try:
        with safe_open(path, "pt") as file:
            card = ModelCard.from_json((file.metadata() or {}).get(METADATA_KEY), path)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ModelError(
            f"{path} is not a readable .safetensors model ({error}); train again with tsr-train"
        ) from error
    network = TsrNetwork(card.channels)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if found != expected:
        raise ModelError(
            f"{path}: its weights do not fit a network of {card.channels} channels; if another "
            "version made it, train again with tsr-train"
        )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise ModelError(f"{path} holds weights that are not finite; train again")
    network.load_state_dict(state)
    return network.eval(), card
