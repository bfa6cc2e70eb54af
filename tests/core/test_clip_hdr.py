"""HDR10 and HLG keep curve, primaries, depth and mastering metadata; a note says what is lost."""

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
import pytest
from av.sidedata.sidedata import Type

from tsr.core.clip_io import ClipInfo, ClipWriter, choose_encoding, probe, read_volume
from tsr.core.clip_io.hdr import HdrMetadata, MasteringDisplay, encoder_parameters, read_hdr

PQ, HLG, BT2020 = 16, 18, 9
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
MASTERING = MasteringDisplay(
    red=(Fraction(34, 50), Fraction(16, 50)),
    green=(Fraction(1325, 5000), Fraction(345, 500)),
    blue=(Fraction(75, 500), Fraction(3, 50)),
    white=(Fraction(15635, 50000), Fraction(1645, 5000)),
    min_luminance=Fraction(1, 10_000),
    max_luminance=Fraction(1000),
)


def film(path: Path, transfer: int, parameters: str = "") -> Path:
    """Three frames of 10-bit 4:2:0 as HEVC, tagged BT.2020 with a transfer curve."""
    options = {"x265-params": f"log-level=none:cutree=0{parameters}", "preset": "ultrafast"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        encoder = stream.codec_context
        encoder.color_primaries, encoder.color_trc, encoder.colorspace = BT2020, transfer, BT2020
        encoder.color_range = 1
        for n in range(3):
            planes = clips.yuv_planes(clips.gradient(3, 48, 64)[:, n], "yuv420p10le", matrix=9)
            frame = clips.planar_frame(planes, "yuv420p10le")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def hdr10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PQ with a mastering display and light levels."""
    path = tmp_path_factory.mktemp("hdr") / "film.mp4"
    return film(path, PQ, f":master-display={DISPLAY}:max-cll=1000,400")


def rewritten(source: Path, path: Path, encoder: str | None = None) -> tuple[ClipInfo, list[str]]:
    """`source` through reader and writer: what the result says of itself, and the notes."""
    volume, info = read_volume(source)
    encoding = choose_encoding(path, info, encoder=encoder)
    with ClipWriter(path, info, times=info.times, encoding=encoding) as writer:
        writer.write_volume(volume)
    found = probe(path)
    again, _ = read_volume(path)
    assert np.abs(again - volume).mean() < 0.02
    return found, writer.notes


def test_the_metadata_is_read_exactly(hdr10: Path) -> None:
    """Stored steps of 1/50000 and 1/10000 cd/m², as fractions."""
    assert probe(hdr10).hdr == HdrMetadata(MASTERING, (1000, 400))
    assert probe(hdr10).is_hdr


@pytest.mark.parametrize(
    ("name", "encoder"),
    [("a.mp4", None), ("a.mkv", None), ("a.webm", None), ("a.mp4", "av1"), ("a.mkv", "h264")],
)
def test_hdr10_is_kept(tmp_path: Path, hdr10: Path, name: str, encoder: str | None) -> None:
    """Ten bits, curve, primaries, matrix and mastering metadata; AV1 rounds to its own steps."""
    info, notes = rewritten(hdr10, tmp_path / name, encoder)
    assert notes == []
    assert info.bit_depth == 10
    colour = info.colour
    assert (colour.transfer, colour.primaries, colour.tagged_matrix) == (PQ, BT2020, BT2020)
    assert info.hdr.light_level == (1000, 400)
    assert info.hdr.mastering is not None
    for part in ("red", "green", "blue", "white"):
        for made, true in zip(
            getattr(info.hdr.mastering, part), getattr(MASTERING, part), strict=True
        ):
            assert abs(made - true) <= Fraction(1, 50_000)
    assert abs(info.hdr.mastering.max_luminance - 1000) <= Fraction(1, 256)
    assert abs(info.hdr.mastering.min_luminance - Fraction(1, 10_000)) <= Fraction(1, 16_384)


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_hlg_is_kept(tmp_path: Path, name: str) -> None:
    """HLG has no static metadata; curve, primaries and depth are all it says."""
    info, notes = rewritten(film(tmp_path / "film.mp4", HLG), tmp_path / name)
    assert (info.colour.transfer, info.colour.primaries, info.bit_depth) == (HLG, BT2020, 10)
    assert info.hdr == HdrMetadata()
    assert notes == []


@pytest.mark.parametrize(
    ("name", "encoder", "transfer"),
    [("a.mov", "prores", PQ), ("a.mkv", "ffv1", PQ), ("a.avi", "ffv1", 2), ("frames", None, PQ)],
)
def test_what_cannot_be_kept_is_said(
    tmp_path: Path, hdr10: Path, name: str, encoder: str | None, transfer: int
) -> None:
    """Encoders without a place for the metadata, and AVI, which has none for colour tags either."""
    info, notes = rewritten(hdr10, tmp_path / name, encoder)
    assert info.colour.transfer == transfer
    assert any("does not keep the HDR mastering metadata" in note for note in notes)
    assert any("HDR (PQ)" in note for note in notes) == (transfer == 2)


def test_the_text_that_encoders_take() -> None:
    """x265 counts stored steps, SVT-AV1 units."""
    hdr = HdrMetadata(MASTERING, (1000, 400))
    assert encoder_parameters(hdr, "hevc") == {"master-display": DISPLAY, "max-cll": "1000,400"}
    assert encoder_parameters(hdr, "av1")["mastering-display"] == (
        "G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.0001)"
    )


@pytest.mark.parametrize("numbers", [[0] * 22, [1, 0] * 10 + [1, 1], [5, 1] * 10 + [1, 1], [1] * 9])
def test_damaged_metadata_counts_as_absent(numbers: list[int]) -> None:
    """Zero denominators, colours beyond 1, too few bytes: nothing an encoder could choke on."""
    data = struct.pack(f"={len(numbers)}i", *numbers)
    found = read_hdr({Type.MASTERING_DISPLAY_METADATA: data, Type.CONTENT_LIGHT_LEVEL: b"\xff"})
    assert found == HdrMetadata()


def test_what_changes_from_frame_to_frame_is_named(hdr10: Path) -> None:
    """Dolby Vision and captions belong to frames of the input, and the note says so."""
    found = read_hdr({Type.DOVI_METADATA: b"", Type.DOVI_RPU_BUFFER: b"", Type.A53_CC: b""})
    assert found.dynamic == ("Dolby Vision", "closed captions")
    encoding = choose_encoding(Path("a.mp4"), replace(probe(hdr10), hdr=found))
    assert encoding.notes == ("Dolby Vision, closed captions of the single frames are not kept",)
