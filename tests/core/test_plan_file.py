"""A plan's header, and the card inside."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import pytest

from tsr.core.errors import ModelError
from tsr.core.plan_file import CARD_LENGTH, CARD_MARK, EngineCard, card_in, read_plan, with_card

PATH = Path("x.plan")


def engine_card(**fields: Any) -> EngineCard:
    """The card of an engine of TensorRT for RTX."""
    given: dict[str, Any] = {
        "model": replace(models.card(), precision="fp16"),
        "model_sha256": "1" * 64,
        "library": "tensorrt_rtx",
        "version": "1.7.1.116",
        "tile": (16, 184, 320),
        "smallest": (2, 2, 4),
        "largest": (32, 368, 640),
        "capabilities": ("8.9", "12.0"),
    }
    return EngineCard(**{**given, **fields})


def plan(name: str, tag: bytes = b"vtrt") -> bytes:
    """A plan as far as its header goes: tag, versions, size; then a network of this name."""
    body = b"\x00kernels\x00" + name.encode() + b"\x00weights"
    return tag + struct.pack("<IQQ4B", 0, 2, 28 + len(body), 1, 7, 1, 116) + body


def test_the_card_comes_back_from_the_plan() -> None:
    """Every field, whatever stands around it."""
    for card in (engine_card(), engine_card(gpu="NVIDIA H100", capabilities=(), refittable=True)):
        assert card_in(plan(card.to_name()), PATH) == card


def test_all_names_have_one_length() -> None:
    """So that a card can be exchanged in place; TensorRT allows 4095 characters."""
    names = [engine_card(capabilities=("8.9",) * n).to_name() for n in (0, 1, 6)]
    assert {len(name) for name in names} == {CARD_LENGTH}
    assert CARD_LENGTH < 4096
    assert all(name.isascii() for name in names)


def test_a_card_that_does_not_fit_is_refused() -> None:
    """Not cut off."""
    video = replace(models.STAMP, name="ü" * 1000)
    with pytest.raises(ModelError, match="shorter name"):
        engine_card(model=replace(models.card(), video=video)).to_name()


def test_a_card_is_exchanged_in_place() -> None:
    """The plan keeps its size and all else in it."""
    old, new = engine_card(), engine_card(model_sha256="2" * 64)
    given = plan(old.to_name())
    made = with_card(given, old, new)
    assert card_in(made, PATH) == new
    assert made == plan(new.to_name())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a TensorRT plan"),
        (b"PK\x03\x04" + bytes(100), "not a TensorRT plan"),
        (plan(engine_card().to_name())[:-100], "cut off or damaged"),
        (plan(engine_card().to_name()) + b"more", "cut off or damaged"),
        (plan("Unnamed Network 0", b"ftrt"), "not made by tsr"),
        (plan(CARD_MARK + "{nonsense"), "damaged engine card"),
        (plan(CARD_MARK + "{}".ljust(CARD_LENGTH)), "damaged engine card"),
        (plan(CARD_MARK + '{"schema": 99}'.ljust(CARD_LENGTH)), "card of version 99"),
    ],
)
def test_a_plan_that_is_none_of_ours_is_refused(data: bytes, message: str) -> None:
    """Before NVIDIA's library sees it."""
    with pytest.raises(ModelError, match=message):
        card_in(data, PATH)


def test_a_missing_plan_is_refused(tmp_path: Path) -> None:
    """With the command that makes it."""
    with pytest.raises(ModelError, match=r"tsr-export MODEL -o absent\.plan"):
        read_plan(tmp_path / "absent.plan")


def test_a_tile_is_accepted_between_the_smallest_and_the_largest() -> None:
    """On every axis."""
    card = engine_card()
    assert card.accepts(card.tile)
    assert card.accepts(card.smallest)
    assert card.accepts(card.largest)
    assert not card.accepts((34, 184, 320))
    assert not card.accepts((16, 184, 2))
