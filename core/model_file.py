"""Weights and card of a .safetensors model, without torch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.core.errors import ModelError
from tsr.core.model_card import METADATA_KEY, ModelCard
from tsr.core.network_shape import weight_shapes

Weights = dict[str, NDArray[Any]]


def read_weights(path: Path) -> tuple[Weights, ModelCard]:
    """Read a model file.

    Returns:
        The arrays of `weight_shapes`, float32 in files of ours; the card.

    Raises:
        ModelError: the file is missing, damaged, foreign, or its weights do not fit its card.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ModelError(f"{path} cannot be read: pip install safetensors") from error

    if not path.is_file():
        raise ModelError(f"{path} does not exist; make it with tsr-train VIDEO -o {path.name}")
    try:
        with safe_open(path, "np") as file:
            card = ModelCard.from_json((file.metadata() or {}).get(METADATA_KEY), path)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, json.JSONDecodeError, TypeError) as error:
        raise ModelError(
            f"{path} is not a readable .safetensors model ({error}); train again with tsr-train"
        ) from error
    if {name: weight.shape for name, weight in weights.items()} != weight_shapes(card.channels):
        raise ModelError(
            f"{path}: its weights do not fit a network of {card.channels} channels; if another "
            "version made it, train again with tsr-train"
        )
    if not all(np.isfinite(weight).all() for weight in weights.values()):
        raise ModelError(f"{path} holds weights that are not finite; train again")
    return weights, card
