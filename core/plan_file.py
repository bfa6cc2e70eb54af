"""A TensorRT plan as a file: what its header says, and the card that it carries inside.

A plan must stay a plan for `trtexec` and Polygraphy, which hand the file to the deserialiser as it
is, and that refuses one byte too many in front ("magicTag") or behind ("plan.header.size ==
blobSize"; both in TensorRT 11.4 and TensorRT for RTX 1.7.1). What the format itself offers is the
network's name: up to 4095 characters, kept as they are, given back as `ICudaEngine.name`. The card
is that name. It is padded to one length, so that an engine refitted with another model's weights
can be handed that model's card in the same place; a plan has no checksum of its own.

The first 28 bytes are read by `trtexec --getPlanVersionOnly` too: a tag, the version of the format,
and from byte 24 on the four numbers of the library's version. Bytes 16 to 23 hold the file's size.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tsr.core.errors import ModelError
from tsr.core.model_card import ModelCard

TAGS = {b"ftrt": "tensorrt", b"vtrt": "tensorrt_rtx"}
"""The first four bytes of a plan, and the library that wrote it."""

HEADER_SIZE = 28
CARD_MARK = "tsr engine card: "
CARD_LENGTH = 4000
"""Characters of the name, mark and padding included; 4095 are allowed."""

SCHEMA = 1
"""Raised whenever a reader of the old card would misread the new one."""

Size = tuple[int, int, int]
"""(frames, rows, columns) of what the network makes in one call."""


@dataclass(frozen=True, kw_only=True)
class EngineCard:
    """Which model an engine computes, and where it can run.

    Args:
        model: the model's own card.
        model_sha256: of the .onnx file that the engine was built from, or refitted with.
        library: `tensorrt` or `tensorrt_rtx`. version: of that library.
        tile: the output that it was tuned for. smallest, largest: what it accepts.
        gpu: the GPU it was built on and for; None if it was built ahead of time.
        capabilities: compute capabilities it runs on, as 8.9; none: all that the library knows.
        version_compatible: also newer versions of the library, and its lean runtime, load it.
        refittable: its weights can be exchanged.
    """

    model: ModelCard
    model_sha256: str
    library: str
    version: str
    tile: Size
    smallest: Size
    largest: Size
    gpu: str | None = None
    capabilities: tuple[str, ...] = ()
    version_compatible: bool = False
    refittable: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "model": json.loads(self.model.to_json()), "schema": SCHEMA}

    def to_name(self) -> str:
        """The name of the network that carries this card, always `CARD_LENGTH` characters.

        Raises:
            ModelError: the card does not fit.
        """
        name = CARD_MARK + json.dumps(self.to_dict(), sort_keys=True)
        if len(name) > CARD_LENGTH:
            raise ModelError(
                f"the model card takes {len(name)} characters, a plan has room for {CARD_LENGTH}; "
                "give the training video a shorter name and train again"
            )
        return name.ljust(CARD_LENGTH)

    @classmethod
    def from_name(cls, name: str, path: Path) -> Self:
        """Read the card of the plan at `path`.

        Raises:
            ModelError: it is damaged or of a newer schema.
        """
        try:
            plain: dict[str, Any] = json.loads(name.removeprefix(CARD_MARK))
            schema = plain.pop("schema")
            if schema != SCHEMA:
                raise ModelError(
                    f"{path} has an engine card of version {schema}, this program reads version "
                    f"{SCHEMA}; update the program or build the engine again"
                )
            sizes = {key: _size(plain[key]) for key in ("tile", "smallest", "largest")}
            model = ModelCard.from_json(json.dumps(plain["model"]), path)
            lists = {"capabilities": tuple(plain["capabilities"])}
            return cls(**{**plain, **sizes, **lists, "model": model})
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ModelError(
                f"{path} has a damaged engine card ({error}); build it again with tsr-export"
            ) from error

    def accepts(self, tile: Size) -> bool:
        """Whether the engine computes tiles of this size."""
        return all(
            low <= size <= high
            for low, size, high in zip(self.smallest, tile, self.largest, strict=True)
        )


def read_plan(path: Path) -> tuple[bytes, EngineCard]:
    """The bytes of a plan and its card, without any library of NVIDIA's.

    Raises:
        ModelError: the file is missing, not a plan, cut off, or not one of ours.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}); make it: tsr-export MODEL -o {path.name}"
        ) from error
    return data, card_in(data, path)


def card_in(data: bytes, path: Path) -> EngineCard:
    """The card inside a plan's bytes; `path` is for messages.

    Raises:
        ModelError: see `read_plan`.
    """
    if len(data) < HEADER_SIZE or data[:4] not in TAGS:
        raise ModelError(f"{path} is not a TensorRT plan; make one with tsr-export MODEL -o x.plan")
    size = int.from_bytes(data[16:24], "little")
    if len(data) != size:
        raise ModelError(
            f"{path} has {len(data)} bytes, and {size} according to its header: it was cut off or "
            "damaged; copy it again, or build it again with tsr-export"
        )
    start = data.find(CARD_MARK.encode())
    if start < 0:
        raise ModelError(
            f"{path} was not made by tsr: it carries no engine card; build it with tsr-export, so "
            "that the ladder and the tile are known"
        )
    name = data[start : start + CARD_LENGTH].decode("ascii", "replace")
    return EngineCard.from_name(name, path)


def with_card(data: bytes, old: EngineCard, new: EngineCard) -> bytes:
    """A plan's bytes with another card in the place of its own."""
    return data.replace(old.to_name().encode(), new.to_name().encode())


def _size(values: list[int]) -> Size:
    frames, rows, columns = (int(value) for value in values)
    return frames, rows, columns
