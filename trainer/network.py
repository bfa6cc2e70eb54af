"""The video-specific network and its file (paper 4.1, Fig. 8a)."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from tsr.core.model_card import METADATA_KEY, ModelCard
from tsr.core.model_file import read_weights
from tsr.core.network_shape import CENTRE, KERNELS, widths
from tsr.core.outputs import completed
from tsr.core.tiling import NETWORK_HALO

EDGE_FRAMES = sum(t // 2 for t, _, _ in KERNELS[1:])
"""Frames at each temporal end of a crop that training leaves out (release: 2): the cubic
interpolation sees less there than it will inside a video."""

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
        self.body = nn.ModuleList(
            nn.Conv3d(before, after, kernel)
            for (before, after), kernel in zip(pairwise(widths(channels)), KERNELS, strict=True)
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
    weights, card = read_weights(path)
    network = TsrNetwork(card.channels)
    network.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
    return network.eval(), card
