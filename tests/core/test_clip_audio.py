"""Sound follows the picture, unchanged where it can, and never costs a render."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.core.clip_io import ClipWriter, FrameTimes, probe, read_volume, retimed

TOLERANCE = Fraction(1, 100)
"""Seconds by which a re-encoded onset may move: less than half a frame at 30 fps."""


def film(tmp_path: Path, name: str = "in.mp4", **tone: Any) -> Path:
    """One second of picture at 10 fps with a tone."""
    return clips.write_video(
        tmp_path / name, clips.numbered(10, 32, 32), fps=10, tone=clips.Tone(**tone)
    )


def render(source: Path, path: Path, *, slow_motion: bool = False) -> list[str]:
    """Twice the frames of `source`; returns the writer's notes."""
    volume, info = read_volume(source)
    times = retimed(info, 2, slow_motion=slow_motion)
    with ClipWriter(path, info, times=times, streams=True) as writer:
        writer.write_volume(np.repeat(volume, 2, axis=1))
    return writer.notes


def packets(path: Path) -> list[tuple[bytes, Fraction]]:
    """Content and time of every audio packet that is heard."""
    with av.open(str(path)) as container:
        demuxed = [packet for packet in container.demux(audio=0) if packet.size]
        return [
            (bytes(packet), packet.pts * Fraction(packet.time_base))
            for packet in demuxed
            if packet.pts + packet.duration > 0
        ]


def onset(path: Path) -> float:
    """Seconds at which the sound first exceeds half of its loudest sample."""
    sound: list[tuple[float, NDArray[np.float32]]] = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 48_000)
        for frame in container.decode(audio=0):
            sound += [(part.time, part.to_ndarray()[0]) for part in resampler.resample(frame)]
    loudest = max(np.abs(samples).max() for _, samples in sound)
    for start, samples in sound:
        (loud,) = np.nonzero(np.abs(samples) > loudest / 2)
        if len(loud):
            return start + loud[0] / 48_000
    raise AssertionError("silence")


def length(path: Path) -> Fraction:
    """Seconds of sound."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        return Fraction(sum(frame.samples for frame in container.decode(audio=0)), rate)


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 4)])
def test_audio_is_copied_bit_for_bit(tmp_path: Path, name: str, start: Fraction) -> None:
    """Every packet has its bytes and its time, to Matroska's millisecond, late start included."""
    source = film(tmp_path, seconds=0.6, start=start)
    notes = render(source, tmp_path / name)
    assert notes == []
    copied, given = packets(tmp_path / name), packets(source)
    assert [content for content, _ in copied] == [content for content, _ in given]
    for (_, at), (_, expected) in zip(copied, given, strict=True):
        assert abs(at - expected) <= Fraction(1, 1000)
    assert probe(tmp_path / name).times == FrameTimes.constant(Fraction(20), 20)


@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 4)])
@pytest.mark.parametrize(
    ("given", "name", "codec"), [("in.mp4", "out.webm", "aac"), ("in.mp4", "out.avi", "aac")]
)
def test_audio_is_reencoded_where_it_must_be(
    tmp_path: Path, start: Fraction, given: str, name: str, codec: str
) -> None:
    """A container that cannot hold the codec gets another; the tone starts when it did."""
    source = film(tmp_path, given, seconds=0.5, start=start, codec=codec)
    (note,) = render(source, tmp_path / name)
    assert "re-encoded" in note
    assert abs(onset(tmp_path / name) - onset(source)) <= TOLERANCE


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize("given", ["in.avi", "in.mkv"])
def test_channels_that_are_only_counted_are_named(tmp_path: Path, given: str, layout: str) -> None:
    """PCM's channels have no names in AVI and Matroska; MP4 asks for them when it ends."""
    source = film(tmp_path, given, seconds=0.6, codec="pcm_s16le", layout=layout)
    assert [note for note in render(source, tmp_path / "out.mp4") if "audio" in note] == []
    copied, kept = packets(tmp_path / "out.mp4"), packets(source)
    assert b"".join(content for content, _ in copied) == b"".join(content for content, _ in kept)


def test_a_counted_channel_is_not_mixed(tmp_path: Path) -> None:
    """One channel without a name is encoded as one."""
    source = film(tmp_path, "in.avi", seconds=0.5, codec="pcm_u8")
    (note,) = [note for note in render(source, tmp_path / "out.mp4") if "audio" in note]
    assert note == ".mp4 cannot hold this pcm_u8 audio; it was re-encoded as aac"


def test_pcm_that_mp4_cannot_describe_is_reencoded(tmp_path: Path) -> None:
    """Sixteen channels have no names: the render does not fail at its end."""
    source = film(tmp_path, "in.mkv", seconds=0.5, codec="pcm_s16le", layout="hexadecagonal")
    (note,) = render(source, tmp_path / "out.mp4")
    assert note.endswith("re-encoded as aac, mixed down to stereo")


def test_a_rate_beyond_the_encoder_is_lowered(tmp_path: Path) -> None:
    """AAC ends at 96 kHz; sound above is there at 48."""
    source = film(tmp_path, "in.mkv", seconds=0.5, codec="pcm_u8", rate=192_000)
    (note,) = render(source, tmp_path / "out.mp4")
    assert note.endswith("it was re-encoded as aac, resampled to 48 kHz")
    assert abs(onset(tmp_path / "out.mp4") - onset(source)) <= TOLERANCE


def test_ac3_is_copied(tmp_path: Path) -> None:
    """MP4 can describe it only once it has a packet, which is no reason to encode it again."""
    source = film(tmp_path, "in.mkv", seconds=0.6, codec="ac3")
    assert render(source, tmp_path / "out.mp4") == []
    assert [each for each, _ in packets(tmp_path / "out.mp4")] == [
        each for each, _ in packets(source)
    ]


def test_the_last_sound_of_a_decoder_is_kept(tmp_path: Path) -> None:
    """WMA's decoder gives its last samples without a time; they follow the others."""
    source = film(tmp_path, "in.wmv", seconds=1, codec="wmav2", bit_rate=96_000)
    (note,) = render(source, tmp_path / "out.mkv")
    assert note == ".mkv cannot hold this wmav2 audio; it was re-encoded as flac"
    assert length(tmp_path / "out.mkv") == length(source)


def test_a_transport_stream_keeps_sound_and_picture_together(tmp_path: Path) -> None:
    """The clock of a transport stream is moved to zero for both."""
    source = clips.write_video(
        tmp_path / "in.ts", clips.numbered(10, 32, 32), fps=10, ticks=range(100, 111),
        tone=clips.Tone(0.5, start=Fraction(1025, 100)),
    )  # fmt: skip
    assert render(source, tmp_path / "out.mp4") == []
    assert probe(tmp_path / "out.mp4").times.starts[0] == 0
    assert abs(onset(tmp_path / "out.mp4") - Fraction(1, 4)) <= TOLERANCE


def test_slow_motion_is_silent(tmp_path: Path) -> None:
    """Sound at its own speed would not fit a stretched picture; it is left out with a note."""
    source = film(tmp_path, seconds=0.5)
    (note,) = render(source, tmp_path / "out.mp4", slow_motion=True)
    assert "audio was left out" in note
    assert not probe(tmp_path / "out.mp4").has_audio


def test_an_image_folder_is_silent(tmp_path: Path) -> None:
    """A folder has no place for sound, and the note says so."""
    source = film(tmp_path, seconds=0.5)
    (note,) = render(source, tmp_path / "frames")
    assert note == "a folder of images holds no audio; left out"
