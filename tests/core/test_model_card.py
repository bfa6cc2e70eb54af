"""What a model file says about itself, read back exactly or refused."""

import dataclasses
import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tsr.core.errors import ModelError
from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import KINDS, SCHEMA, ModelCard, VideoStamp, file_sha256

PATH = Path("somewhere/model.onnx")

CARD = ModelCard(
    channels=64,
    ladder=ScaleLadder(Fraction(1, 4), 4),
    video=VideoStamp(
        name="slow – ×8.mp4",
        sha256="ab" * 32,
        width=853,
        height=479,
        num_frames=60,
        fps=Fraction(30000, 1001),
    ),
    settings={"steps": 900, "crop": [16, 16, 16], "max_minutes": None},
    validation={"psnr": 31.4159},
    versions={"tsr": "0.1.0"},
)


def test_a_card_survives_json() -> None:
    """Exact rates, the ladder and the nested settings come back equal."""
    assert ModelCard.from_json(CARD.to_json(), PATH) == CARD


@pytest.mark.parametrize("exposure", [1.0, 0.75, 0.3, 0.0])
def test_a_card_keeps_the_exposure(exposure: float) -> None:
    """To the last bit: it decides the taps."""
    card = dataclasses.replace(CARD, ladder=ScaleLadder(Fraction(1, 8), 8, exposure))
    assert ModelCard.from_json(card.to_json(), PATH) == card


def test_a_card_keeps_the_finest_scale() -> None:
    """Of a network pass."""
    card = dataclasses.replace(CARD, ladder=ScaleLadder(Fraction(1, 4), 8, finest=Fraction(1, 2)))
    assert ModelCard.from_json(card.to_json(), PATH) == card


def test_a_card_of_old_means_the_papers_ladder() -> None:
    """And the full exposure: models from before there was a choice stay what they were."""
    old = changed(ladder={"start": "1/4", "factor": 4})
    assert ModelCard.from_json(old, PATH) == CARD


def test_equal_cards_are_equal_texts() -> None:
    """The text does not depend on the order in which settings were given."""
    turned = dict(reversed(CARD.settings.items()))
    again = ModelCard.from_json(CARD.to_json(), PATH)
    assert again.to_json() == CARD.to_json()
    assert "\n" not in CARD.to_json()
    plain = json.loads(CARD.to_json())
    assert ModelCard(**{**vars(CARD), "settings": turned}).to_json() == json.dumps(
        plain, sort_keys=True
    )


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(CARD.to_json()), **changes})


def without(key: str) -> str:
    plain = json.loads(CARD.to_json())
    del plain[key]
    return json.dumps(plain)


VIDEO = json.loads(CARD.to_json())["video"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        CARD.to_json()[:-30],
        without("schema"),
        without("channels"),
        without("ladder"),
        without("video"),
        changed(surprise=1),
        changed(ladder=None),
        changed(ladder={"start": "1/0", "factor": 8}),
        changed(ladder={"start": "1/8", "factor": 3}),
        changed(ladder={"start": "1/7", "factor": 8}),
        changed(ladder={"start": "one", "factor": 8}),
        changed(ladder={"start": "1/8", "factor": 8, "exposure": 1.5}),
        changed(ladder={"start": "1/8", "factor": 8, "exposure": "half"}),
        changed(ladder={"start": "1/8", "factor": 8, "surprise": 1}),
        changed(video={**VIDEO, "fps": "30/0"}),
        changed(video={**VIDEO, "surprise": 1}),
        changed(video={"name": "x"}),
        changed(channels="many"),
        changed(channels=0),
        changed(channels=10**9),
        changed(channels=None),
        changed(precision=5),
        changed(precision=["int8"]),
        changed(settings=None),
        changed(validation=[31.4]),
        changed(calibration=None),
        changed(calibration="int8"),
        changed(versions=7),
    ],
)
def test_damaged_cards_are_refused_in_one_line(text: str) -> None:
    """Whatever the text holds, the user reads which file it is and what to do."""
    with pytest.raises(ModelError, match=r"model\.onnx has a damaged model card") as caught:
        ModelCard.from_json(text, PATH)
    assert "train again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_may_leave_out_what_only_tells() -> None:
    """As cards of old did."""
    for key in KINDS:
        ModelCard.from_json(without(key), PATH)


def test_a_card_of_another_version_is_refused() -> None:
    """A newer card may mean something else by the same words."""
    with pytest.raises(ModelError, match=f"version {SCHEMA + 1}, this program reads") as caught:
        ModelCard.from_json(changed(schema=SCHEMA + 1), PATH)
    assert "damaged" not in str(caught.value)


def test_a_file_without_a_card_is_not_ours() -> None:
    """Foreign models say so."""
    with pytest.raises(ModelError, match="not made by tsr"):
        ModelCard.from_json(None, PATH)


def test_hash_of_files_and_folders(tmp_path: Path) -> None:
    """A file's hash is SHA-256 of its bytes; a folder's depends on its images' names and bytes."""
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(file) == known
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"one")
    before = file_sha256(folder)
    (folder / "1.png").rename(folder / "2.png")
    renamed = file_sha256(folder)
    (folder / "2.png").write_bytes(b"two")
    assert len({before, renamed, file_sha256(folder)}) == 3


def test_cards_of_old_know_cubic_interpolation_alone(tmp_path: Path) -> None:
    moved = dataclasses.replace(
        CARD, ladder=dataclasses.replace(CARD.ladder, interpolation="motion")
    )
    assert ModelCard.from_json(moved.to_json(), tmp_path).ladder.interpolation == "motion"
    plain = json.loads(CARD.to_json())
    del plain["ladder"]["interpolation"]
    assert ModelCard.from_json(json.dumps(plain), tmp_path).ladder.interpolation == "cubic"
    plain["ladder"]["interpolation"] = "magic"
    with pytest.raises(ModelError, match="interpolation is magic"):
        ModelCard.from_json(json.dumps(plain), tmp_path)


def test_hash_of_a_folder_that_holds_more_than_images(tmp_path: Path) -> None:
    """What other programs leave there is no part of the clip; a name need not be text."""
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"one")
    before = file_sha256(tmp_path)
    (tmp_path / "@eaDir").mkdir()
    (tmp_path / "Thumbs.db").write_bytes(b"thumbnails")
    (tmp_path / ".frame.part-0-1.png").write_bytes(b"half")
    assert file_sha256(tmp_path) == before
