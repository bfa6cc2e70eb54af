"""A finished render is never lost to what a file holds beside picture and sound."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich_clip import MILLISECOND, render_twice

from tsr.core.clip_io import (
    ClipWriter,
    choose_encoding,
    probe,
    read_volume,
    retimed,
    side_streams,
    subtitles,
    video_sink,
)
from tsr.core.clip_io import audio as audio_module


def exploding(*arguments: Any, **options: Any) -> Any:
    raise ValueError("Invalid data found when processing input")


def exploding_half_way(carry: Any) -> Any:
    """A carrier's method that fails at the fourth packet (or the second subtitle)."""

    def broken(self: Any, packet: Any) -> Iterator[Any]:
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen == 2:
            raise ValueError("Invalid data found when processing input")
        yield from carry(self, packet)

    return broken


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize(
    ("place", "attribute", "words"),
    [
        (side_streams, "carry_audio", "audio 1 was left out (Invalid data"),
        (side_streams, "carry_subtitles", "subtitles 1 was left out (Invalid data"),
        (side_streams, "add_attachments", "left out (Invalid data"),
    ],
)
def test_streams_that_cannot_be_opened_do_not_cost_the_render(
    tmp_path: Path, rich_film: Path, monkeypatch: pytest.MonkeyPatch, name: str,
    place: Any, attribute: str, words: str,
) -> None:  # fmt: skip
    """The video is whole, and a note says what is missing."""
    monkeypatch.setattr(place, attribute, exploding)
    notes = render_twice(rich_film, tmp_path / name)
    assert any(words in note for note in notes), notes


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (audio_module.AudioCopy, "audio 1 was cut short (Invalid data"),
        (subtitles.SubtitleCopy, "subtitles 1 was cut short (Invalid data"),
    ],
)
def test_streams_that_break_half_way_do_not_cost_the_render(
    tmp_path: Path, rich_film: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, words: str
) -> None:
    """One stream ends early; the picture goes on."""
    monkeypatch.setattr(kind, "carry", exploding_half_way(kind.carry))
    notes = render_twice(rich_film, tmp_path / "out.mkv")
    assert any(words in note for note in notes), notes


def test_a_source_that_vanishes_does_not_cost_the_render(tmp_path: Path, rich_film: Path) -> None:
    """What can no longer be read is a note."""
    source = tmp_path / "source"
    source.mkdir()
    gone = source / "film.mkv"
    gone.write_bytes(rich_film.read_bytes())
    volume, info = read_volume(gone)
    gone.write_bytes(b"no film any more" * 100)
    out = tmp_path / "out.mp4"
    with ClipWriter(out, info, times=info.times, streams=True) as writer:
        writer.write_volume(volume)
    assert any("of film.mkv were left out" in note for note in writer.notes)
    assert probe(out).num_frames == 20


def test_a_header_that_fails_with_a_stream_is_written_without_it(
    tmp_path: Path, rich_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No header is written for a picture of no size; all but the subtitles are there."""

    def impossible(stream: Any, name: str, target: Any, notes: list[str]) -> None:
        target.output.add_mux_stream("vp8", time_base=MILLISECOND)

    monkeypatch.setattr(side_streams, "carry_subtitles", impossible)
    notes = render_twice(rich_film, tmp_path / "out.webm")
    assert any(note.startswith("the subtitles were left out") for note in notes), notes
    assert probe(tmp_path / "out.webm").beside == ("audio", "chapters")


def test_a_muxer_that_chokes_on_a_queued_packet_does_not_cost_the_render(
    tmp_path: Path, rich_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes out while a frame is muxed; the streams end, every frame is there."""
    volume, info = read_volume(rich_film)
    path = tmp_path / "out.mkv"
    encoding = choose_encoding(path, info)
    mux = video_sink.VideoSink._mux
    muxed = 0

    def choking(self: Any, packets: list[Any]) -> None:
        nonlocal muxed
        mux(self, packets)
        muxed += len(packets)
        if packets and muxed >= 3 and not self._choked:
            self._blame_sides(ValueError("Invalid argument"))

    monkeypatch.setattr(video_sink.VideoSink, "_mux", choking)
    times = retimed(info, 2)
    with ClipWriter(path, info, times=times, encoding=encoding, streams=True) as writer:
        writer.write_volume(np.repeat(volume, 2, axis=1))
    assert any("audio 1 was cut short (Invalid argument)" in note for note in writer.notes)
    assert probe(path).times == times
