"""A part of a video, or a few seconds of it: ranges and previews."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import clips
import numpy as np
import pytest
from runs import HEIGHT, NUM_FRAMES, WIDTH, events, record_of, tsr

from tsr.core.clip_io import probe, read_volume


def test_a_part_alone_is_retimed(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """The rest keeps its frames and times, and the sound stays."""
    given = probe(clip)
    first, last = 6, 13
    seconds = "-".join(
        f"{float(given.times.starts[n] - Fraction(1, 100)):.4f}" for n in (first, last)
    )
    record = record_of(
        tsr(tmp_path / "c", clip, "-o", tmp_path / "out.mkv", "--factor", 4, "--encoder", "ffv1",
            "--range", seconds, "--json")
    )  # fmt: skip
    volume, made = read_volume(tmp_path / "out.mkv")
    assert made.num_frames == NUM_FRAMES + 3 * (last - first)
    source, _ = read_volume(clip)
    before, after = slice(0, first), slice(last, None)
    step = 0.5 / 255 + 1e-6
    np.testing.assert_allclose(volume[:, before], source[:, before], rtol=0, atol=step)
    tail = volume[:, first + 4 * (last - first) :]
    np.testing.assert_allclose(tail, source[:, after], rtol=0, atol=step)
    for n in range(first, last):  # the retimed part averages back to the input
        group = volume[:, first + 4 * (n - first) :][:, :4]
        unclipped = ((group > 0) & (group < 1)).all(axis=1)
        error = np.abs(group.mean(axis=1) - source[:, n])[unclipped]
        assert error.max() <= 1.5 / 255
    assert made.has_audio
    assert abs(made.times.span - given.times.span) < Fraction(1, 500)
    starts = made.times.starts
    assert abs(starts[first + 4 * (last - first)] - given.times.starts[last]) < Fraction(1, 500)
    assert record.settings["range"] == pytest.approx([float(x) for x in seconds.split("-")])


def test_a_part_in_slow_motion_has_no_sound(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """The part lasts longer, the rest comes later."""
    record = record_of(
        tsr(tmp_path / "c", clip, "-o", tmp_path / "out.mp4", "--factor", 2, "--slow-motion",
            "--range", "0.2-0.4", "--json")
    )  # fmt: skip
    made, given = probe(tmp_path / "out.mp4"), probe(clip)
    inside = [n for n, s in enumerate(given.times.starts) if Fraction(1, 5) <= s < Fraction(2, 5)]
    assert made.num_frames == NUM_FRAMES + len(inside)
    assert made.times.span == given.times.span + len(inside) / given.fps
    assert not made.has_audio
    assert any("audio" in note for note in record.notes)


def test_chapters_follow_a_part_in_slow_motion(tmp_path: Path, stubbed: None) -> None:
    """Those before it stay, those within are stretched, those behind are later and as long."""
    video = 0.3 + 0.4 * clips.rotating_spokes(10, HEIGHT, WIDTH)
    film = clips.write_video(tmp_path / "in.mkv", video, fps=10, chapters=8)
    result = tsr(
        tmp_path / "c", film, "-o", tmp_path / "out.mkv", "--factor", 2, "--slow-motion",
        "--range", "0.25-0.45",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    with av.open(str(tmp_path / "out.mkv")) as made:
        chapters = [(each["start"], each["end"]) for each in made.chapters()]
        tenth = Fraction(1, 10) / Fraction(made.chapters()[0]["time_base"])
    starts = [0, 1, 2, 3, 5, 7, 8, 9, 10]
    assert [tuple(end / tenth for end in each) for each in chapters] == list(pairwise(starts))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("5-12.5", (5, 12.5)), ("00:05-01:02:03", (5, 3723)), ("-3", (0, 3)), ("2-", (2, 10**9)),
        ("1:30-", (90, 10**9)), ("5", None), ("a-b", None), ("-", None), ("7-7", None),
        ("9-2", None),
    ],
)  # fmt: skip
def test_ranges(words: str, expected: tuple[float, float] | None) -> None:
    """Hours and minutes may be left out, and one of the ends."""
    import click

    from tsr.pipeline.cli import TimeRange

    if expected is None:
        with pytest.raises(click.BadParameter):
            TimeRange().convert(words, None, None)
    else:
        assert TimeRange().convert(words, None, None) == expected


def test_a_preview_of_the_liveliest_seconds(tmp_path: Path, stubbed: None) -> None:
    """Beside the output, which is not made: twice as wide, every frame of it."""
    still = np.repeat(0.3 + 0.4 * clips.rotating_spokes(1, HEIGHT, WIDTH), 40, axis=1)
    lively = 0.3 + 0.4 * clips.rotating_spokes(20, HEIGHT, WIDTH)
    video = np.concatenate((still, lively, still), axis=1)
    whole = clips.write_video(tmp_path / "in.mp4", video, fps=10)
    result = tsr(
        tmp_path / "c", whole, "-o", tmp_path / "out.mp4", "--factor", 2, "--preview", "--json"
    )
    (done,) = (event for event in events(result) if event["event"] == "preview")
    assert Path(done["wrote"]) == tmp_path / "out_preview.mp4"
    assert not (tmp_path / "out.mp4").exists()
    made, info = read_volume(tmp_path / "out_preview.mp4")
    assert (info.num_frames, info.width) == (40, 2 * WIDTH)
    changes = np.abs(np.diff(made[:, :, -HEIGHT:], axis=1)).mean(axis=(0, 2, 3))
    assert (changes[2:-2] > 0.005).all()  # of the lively part, and all of it


def test_a_preview_stands_upright_and_has_no_chapters(tmp_path: Path, stubbed: None) -> None:
    """Of a phone held upright, whose pixels are not square; the film's chapters are elsewhere."""
    volume = np.repeat(clips.colour_chart(HEIGHT, WIDTH, patch=32), 8, axis=1)
    phone = clips.write_video(
        tmp_path / "in.mp4", volume, rotation=90, pixel_ratio=Fraction(4, 3), chapters=2
    )
    result = tsr(tmp_path / "c", phone, "--factor", 2, "--preview")
    assert result.exit_code == 0, result.output
    made, info = read_volume(tmp_path / "in_x2_preview.mp4")
    assert (info.width, info.display_matrix, info.beside) == (2 * HEIGHT, None, ())
    assert info.sample_aspect_ratio == Fraction(3, 4)
    seen, _ = read_volume(phone)
    upright = np.rot90(seen, axes=(2, 3))[:, 0]
    for panel in (made[:, 3, -WIDTH:, :HEIGHT], made[:, 3, -WIDTH:, HEIGHT:]):
        inner = (slice(None), slice(8, 24), slice(8, 24))  # of a patch
        np.testing.assert_allclose(panel[inner], upright[inner], rtol=0, atol=0.05)
        assert np.abs(panel - upright).mean() < 0.05


def test_a_preview_is_refused_where_one_is_not_where_the_output_is(
    tmp_path: Path, clip: Path, stubbed: None
) -> None:
    """The output stays as it is."""
    output = tmp_path / "out.mp4"
    output.write_text("made before")
    command = (clip, "-o", output, "--factor", 2, "--preview")
    result = tsr(tmp_path / "c", *command)
    assert result.exit_code == 0, result.output
    assert output.read_text() == "made before"
    again = tsr(tmp_path / "c", *command)
    assert again.exit_code == 1
    (line,) = again.stderr.splitlines()
    assert "out_preview.mp4 exists already" in line
    nameless = tsr(tmp_path / "c", clip, "-o", "/", "--preview")
    assert nameless.exit_code == 1
    assert "has no name" in nameless.stderr
