"""What a file holds beside picture and sound: kept, converted, or named as lost; never a render."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest
from rich_clip import CAPTIONS, FONT, MILLISECOND, jpeg, render_twice

from tsr.core.clip_io import (
    ClipWriter,
    probe,
    read_volume,
    retimed,
)


def captions(path: Path, number: int = 0) -> list[tuple[Fraction, Fraction, bytes]]:
    """Start, duration, content of each subtitle that is not empty."""
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[number]
        found = []
        for packet in container.demux(stream):
            tick = Fraction(packet.time_base)
            if packet.size > 2:
                found.append((packet.pts * tick, packet.duration * tick, bytes(packet)))
        return found


def expected_captions(stretch: int = 1) -> list[tuple[Fraction, Fraction]]:
    return [(s * MILLISECOND * stretch, d * MILLISECOND * stretch) for s, d, _ in CAPTIONS]


def purposes(container: Any, kind: str) -> list[tuple[str | None, str | None, int]]:
    """Language, title and disposition of each stream of a kind."""
    return [
        (s.metadata.get("language"), s.metadata.get("title"), int(s.disposition))
        for s in getattr(container.streams, kind)
    ]


def test_matroska_keeps_everything(tmp_path: Path, rich_film: Path) -> None:
    """Every stream, with language, title and purpose; every attachment to the byte."""
    assert probe(rich_film).beside == ("audio", "subtitles", "attachments", "chapters")
    assert render_twice(rich_film, tmp_path / "out.mkv") == []
    with av.open(str(rich_film)) as given, av.open(str(tmp_path / "out.mkv")) as made:
        for kind in ("audio", "subtitles"):
            assert purposes(made, kind) == purposes(given, kind)
        assert made.streams.video[0].metadata["language"] == "jpn"
        (font,) = [s for s in made.streams if s.type == "attachment"]
        assert (font.name, font.mimetype, font.data) == ("font.ttf", "font/ttf", FONT)
        cover = made.streams.video[1]
        assert cover.disposition & av.stream.Disposition.attached_pic
        assert bytes(next(made.demux(cover))) == jpeg()
        assert made.metadata["my_own_key".upper()] == "kept in Matroska"
        assert [c["metadata"]["title"] for c in made.chapters()] == ["part 0", "part 1"]
        assert [s.codec_context.name for s in made.streams.subtitles] == ["srt", "pgssub"]
    for number in range(2):
        assert captions(tmp_path / "out.mkv", number) == captions(rich_film, number)


def test_mp4_converts_text_and_names_what_it_cannot_hold(tmp_path: Path, rich_film: Path) -> None:
    """Text as mov_text, the cover as the file's artwork; bitmaps and fonts are notes."""
    notes = render_twice(rich_film, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert [s.metadata["language"] for s in made.streams.audio] == ["eng", "deu"]
        (text,) = made.streams.subtitles
        assert (text.codec_context.name, text.metadata["language"]) == ("mov_text", "fra")
        assert text.disposition & av.stream.Disposition.forced
        cover = made.streams.video[1]
        assert cover.disposition & av.stream.Disposition.attached_pic
        assert bytes(next(made.demux(cover))) == jpeg()
        assert len(made.chapters()) == 2
        assert made.metadata["title"] == "A film"
    (first, second) = captions(tmp_path / "out.mp4")
    assert [(start, length) for start, length, _ in (first, second)] == expected_captions()
    assert first[2][2:13] == b"Hello world"
    assert second[2][2:] == b"two\nlines"
    assert [note.split(";")[0] for note in notes] == [
        ".mp4 cannot hold the attachment font.ttf",
        "subtitles 1 (srt) stored as mov_text, its text and plain styles",
        ".mp4 cannot hold subtitles 2 (pgssub)",
        ".mp4 does not keep the metadata MY_OWN_KEY",
    ]


def test_labels_that_a_container_has_no_word_for(tmp_path: Path, rich_film: Path) -> None:
    """QuickTime knows German as "ger" alone and no purposes, WebM no comments: notes say so."""
    for suffix, lost in ((".mov", "deu, comment"), (".webm", "comment")):
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        notes = render_twice(rich_film, folder / f"out{suffix}")
        assert f"{suffix} does not tell that audio 2 is {lost}" in notes


def test_titles_of_tracks_survive_mp4_twice(tmp_path: Path, rich_film: Path) -> None:
    """MP4 reads as "name" what it is given as "title"."""
    source = rich_film
    for folder in (tmp_path / "once", tmp_path / "twice"):
        folder.mkdir()
        render_twice(source, folder / "out.mp4")
        source = folder / "out.mp4"
        with av.open(str(source)) as made:
            assert made.streams.audio[1].metadata["name"] == "Kommentar"


def test_text_comes_back_from_mp4(tmp_path: Path, rich_film: Path) -> None:
    """mov_text becomes SubRip, italics as they were."""
    folder, again = tmp_path / "mp4", tmp_path / "again"
    folder.mkdir(), again.mkdir()
    render_twice(rich_film, folder / "film.mp4")
    notes = render_twice(folder / "film.mp4", again / "out.mkv")
    assert [note for note in notes if "subtitles" in note] == [
        "subtitles (mov_text) stored as subrip, its text and plain styles"
    ]
    contents = [content.replace(b"\r", b"") for _, _, content in captions(again / "out.mkv")]
    assert contents == [b"Hello <i>world</i>", b"two\nlines"]


@pytest.mark.parametrize("name", ["out.webm", "out.avi", "frames"])
def test_other_containers_say_what_they_leave_out(
    tmp_path: Path, rich_film: Path, name: str
) -> None:
    """WebM keeps text as WebVTT, AVI sound alone, a folder nothing."""
    volume, info = read_volume(rich_film)
    path = tmp_path / name
    with ClipWriter(path, info, times=retimed(info, 2), streams=True) as writer:
        writer.write_volume(np.repeat(volume, 2, axis=1))
    notes = "\n".join(writer.notes)
    if name == "out.webm":
        assert "stored as webvtt" in notes
        assert "cannot hold subtitles 2 (pgssub)" in notes
        assert [(s, d) for s, d, _ in captions(path)] == expected_captions()
        assert ".webm holds no attachments; left out" in notes
    elif name == "out.avi":
        assert ".avi holds no subtitles, attachments, chapters; left out" in notes
        assert probe(path).beside == ("audio",)
    else:
        assert "images holds no audio, subtitles, attachments, chapters; left out" in notes


def test_slow_motion_stretches_subtitles_and_chapters(tmp_path: Path, rich_film: Path) -> None:
    """Both belong to the picture; sound at its own speed does not, and that is said."""
    (note,) = render_twice(rich_film, tmp_path / "out.mkv", slow_motion=True)
    assert "audio was left out" in note
    times = [(start, length) for start, length, _ in captions(tmp_path / "out.mkv")]
    assert times == expected_captions(2)
    with av.open(str(tmp_path / "out.mkv")) as made:
        ends = [chapter["end"] * Fraction(chapter["time_base"]) for chapter in made.chapters()]
    assert ends == [2, 4]


def test_what_phones_write_is_kept(tmp_path: Path) -> None:
    """QuickTime's keys for camera and place go from MP4 to MP4."""
    source = clips.write_video(tmp_path / "plain.mp4", clips.numbered(4, 32, 32))
    phone = tmp_path / "phone.mov"
    keys = {"com.apple.quicktime.model": "A phone", "location": "+52.5000+013.4000/"}
    with (
        av.open(str(source)) as given,
        av.open(str(phone), "w", options={"movflags": "use_metadata_tags"}) as container,
    ):
        container.metadata.update(keys)
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    out = tmp_path / "out"
    out.mkdir()
    assert render_twice(phone, out / "out.mp4") == []
    with av.open(str(out / "out.mp4")) as made:
        assert {key: made.metadata[key] for key in keys} == keys


def test_what_no_output_keeps_is_named(tmp_path: Path) -> None:
    """A second camera and sensor data of a transport stream."""
    source = tmp_path / "in.ts"
    with av.open(str(source), "w") as container:
        streams = [container.add_stream("mpeg2video", rate=25) for _ in range(2)]
        data = container.add_data_stream("klv")
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for n in range(4):
            for stream in streams:
                planes = clips.yuv_planes(clips.numbered(4, 32, 32)[:, n], "yuv420p", matrix=6)
                frame = clips.planar_frame(planes, "yuv420p")
                frame.pts, frame.time_base = n, Fraction(1, 25)
                container.mux(stream.encode(frame))
            packet = av.Packet(b"\x06\x0e\x2b\x34 speed")
            packet.pts = packet.dts = n
            packet.time_base, packet.stream = Fraction(1, 25), data
            container.mux(packet)
        for stream in streams:
            container.mux(stream.encode(None))
    out = tmp_path / "out"
    out.mkdir()
    assert probe(source).beside == ("data", "further videos")
    assert render_twice(source, out / "out.mp4") == [".mp4 holds no data, further videos; left out"]


def test_newer_pyav_is_not_asked_for_what_it_does_anyway(
    tmp_path: Path, rich_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 19 on, `av.open` takes no word on metadata."""
    real = av.open

    def newer(file: Any, mode: str = "r", **options: Any) -> Any:
        assert "metadata_errors" not in options
        return real(file, mode, **options)

    monkeypatch.setattr(av, "open", newer)
    monkeypatch.setattr(av, "__version__", "19.0.2")
    assert render_twice(rich_film, tmp_path / "out.mkv") == []
