"""Starting from the weights of another model: what one shot taught serves the next."""

from dataclasses import replace
from pathlib import Path

from tsr.core.errors import SettingsError
from tsr.trainer.config import TrainConfig
from tsr.trainer.network import load_model
from tsr.trainer.state import TrainState, copied

STEPS_SHARE = 1 / 3
"""Part of a preset's steps that is taken from there on."""


def shortened(config: TrainConfig) -> TrainConfig:
    """The settings of a training that starts from a trained network."""
    return replace(config, steps=max(1, round(config.steps * STEPS_SHARE)))


def start_from(state: TrainState, model: Path, config: TrainConfig) -> TrainConfig:
    """Take the weights of `model` into a fresh state; the optimisers begin anew.

    Returns:
        The settings, with the interpolation that the model was trained on where they leave it open.

    Raises:
        ModelError: it cannot be read. SettingsError: it is a network of another width, or for
            another interpolation.
    """
    network, card = load_model(model)
    if card.channels != state.network.channels:
        raise SettingsError(
            f"{model} has {card.channels} channels and the training {state.network.channels}; "
            f"give --channels {card.channels}, or start from another model"
        )
    own = card.ladder.interpolation
    if config.interpolation not in ("auto", own):
        raise SettingsError(
            f"{model} was trained on {own} interpolation; give --interpolation {own}, or start "
            "from another model"
        )
    state.network.load_state_dict(network.state_dict())
    state.best = copied(state.network.state_dict())
    return replace(config, interpolation=own)
