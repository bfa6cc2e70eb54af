"""Bad input gives one clear `ClipError` each, and nothing on standard error."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
import pytest

from tsr.core.clip_io import ClipReader, probe, read_volume
from tsr.core.errors import ClipError


@pytest.fixture(autouse=True)
def _nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """FFmpeg and the encoders print nothing."""
    yield
    assert capfd.readouterr().err == ""


def refused(path: Path) -> str:
    """The one-line message with which a clip is refused, be it at once or while reading."""
    with pytest.raises(ClipError) as caught:
        read_volume(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def written(tmp_path: Path, name: str = "clip.mp4", **options: object) -> Path:
    """A 40-frame clip of noise, about 200 KB, whose index comes first."""
    noise = np.random.default_rng(0).random((3, 40, 48, 64), np.float32)
    return clips.write_video(tmp_path / name, noise, **options)  # type: ignore[arg-type]


def test_missing_file(tmp_path: Path) -> None:
    """A path that is not there."""
    assert "does not exist" in refused(tmp_path / "no.mp4")


def test_empty_file(tmp_path: Path) -> None:
    """A file of zero bytes."""
    (tmp_path / "empty.mp4").touch()
    assert "0 bytes" in refused(tmp_path / "empty.mp4")


def test_text_named_as_video(tmp_path: Path) -> None:
    """A text file with a video's suffix."""
    (tmp_path / "notes.mp4").write_text("this is no video\n" * 100)
    assert "not a video" in refused(tmp_path / "notes.mp4")


def test_folder_without_images(tmp_path: Path) -> None:
    """A folder that holds other things."""
    (tmp_path / "readme.txt").write_text("nothing here")
    assert "no .png images" in refused(tmp_path)


def test_audio_only(tmp_path: Path) -> None:
    """A file with sound and no pictures."""
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        tone = clips.Tone(0.2)
        tone.write_to(container, tone.add_to(container))
    assert "audio only" in refused(path)


def test_cut_off_download(tmp_path: Path) -> None:
    """An MP4 whose index comes last, cut in half: nothing can be read."""
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged or incomplete" in refused(path)


def faststart(path: Path) -> Path:
    """The clip with its index first."""
    moved = path.with_name("faststart.mp4")
    options = {"movflags": "+faststart"}
    with av.open(str(path)) as source, av.open(str(moved), "w", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return moved


def test_cut_off_behind_the_index(tmp_path: Path) -> None:
    """Half a clip with a whole index: the message names how many frames are readable."""
    path = faststart(written(tmp_path))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    message = refused(path)
    assert "of 40 frames are readable" in message
    assert 15 <= int(message.split(": ")[1].split()[0]) <= 22


def test_cut_off_matroska(tmp_path: Path) -> None:
    """Matroska's header says how long the clip was, if nothing else."""
    path = written(tmp_path, "clip.mkv", fps=4)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "frames are readable" in refused(path)


def test_overwritten_middle(tmp_path: Path) -> None:
    """Zeros in the middle of the stream: some frames decode, and the message counts them."""
    path = faststart(written(tmp_path))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 30_000] = bytes(30_000)
    path.write_bytes(data)
    assert "of 40 frames are readable" in refused(path)


def test_absurd_header(tmp_path: Path) -> None:
    """A header that claims a frame of 60000×60000 is refused before memory is asked for."""
    path = tmp_path / "huge.png"
    folder = clips.write_pngs(tmp_path / "ok", clips.numbered(1, 8, 8))
    data = bytearray((folder / "frame_0.png").read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    path.write_bytes(data)
    refused(path)


def test_fields_stored_singly(tmp_path: Path) -> None:
    """HEVC stores each field as a picture of its own; the command that mends it is named."""
    params = {"x265-params": "interlace=tff:log-level=none"}
    path = written(tmp_path, codec="libx265", options=params)
    assert "bwdif" in refused(path)


@pytest.mark.parametrize("where", [0, 2])
def test_transparent_images(tmp_path: Path, where: int) -> None:
    """Images that let through what is behind them are refused by name; opaque ones are read."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for n in range(3):
        pixels = np.full((8, 8, 4), 255, np.uint8)
        if n == where:
            pixels[0, 0, 3] = 128
        image = av.VideoFrame.from_ndarray(pixels, format="rgba")
        encoder = av.CodecContext.create("png", "w")
        encoder.width, encoder.height, encoder.pix_fmt = 8, 8, "rgba"
        encoder.time_base = Fraction(1, 25)
        data = b"".join(map(bytes, [*encoder.encode(image), *encoder.encode(None)]))
        (folder / f"{n}.png").write_bytes(data)
    message = refused(folder)
    assert f"image {where}.png is transparent" in message
    assert "premultiply" in message
    (folder / f"{where}.png").unlink()
    assert read_volume(folder)[0].shape == (3, 2, 8, 8)


def test_alpha_that_the_decoder_leaves_out(tmp_path: Path) -> None:
    """WebM keeps transparency apart, where it would be lost without a word."""
    plain = written(tmp_path, "plain.webm", codec="libvpx-vp9", options={"cpu-used": "8"})
    path = tmp_path / "alpha.webm"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.metadata["alpha_mode"] = "1"
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert "transparent" in refused(path)


def test_images_of_two_sizes(tmp_path: Path) -> None:
    """The message names the image and both sizes."""
    folder = clips.write_pngs(tmp_path / "frames", clips.numbered(2, 8, 8))
    other = clips.write_pngs(tmp_path / "other", clips.numbered(1, 8, 10))
    (other / "frame_0.png").rename(folder / "frame_2.png")
    message = refused(folder)
    assert "frame_2.png has 10×8" in message
    assert "8×8" in message


def test_damaged_image(tmp_path: Path) -> None:
    """A cut-off image is named."""
    folder = clips.write_pngs(tmp_path / "frames", clips.gradient(3, 64, 64))
    image = folder / "frame_1.png"
    image.write_bytes(image.read_bytes()[:120])
    with pytest.raises(ClipError, match=r"frame_1\.png"):
        read_volume(folder)


def test_text_named_as_image(tmp_path: Path) -> None:
    """A text file among the images is named."""
    folder = clips.write_pngs(tmp_path / "frames", clips.numbered(2, 8, 8))
    (folder / "frame_1.png").write_text("not an image")
    with pytest.raises(ClipError, match=r"frame_1\.png"):
        read_volume(folder)


def test_frames_before_the_damage_are_delivered(tmp_path: Path) -> None:
    """Streaming yields the whole frames first, then raises."""
    path = faststart(written(tmp_path, fps=Fraction(25), gop=4))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 30_000] = bytes(30_000)
    path.write_bytes(data)
    frames = iter(ClipReader(path, probe(path)))
    for _ in range(10):
        assert next(frames).shape == (3, 48, 64)
    with pytest.raises(ClipError, match="of 40 frames are readable"):
        list(frames)
